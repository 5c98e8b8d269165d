// The rate of one layer as an allocation wants to know it: what it needs when it moves, not what it sends at
// this moment.
//
// Bytes of the last second in buckets; the greatest such rate of the last 5 to 10 seconds is held, so that a
// still picture does not give its bits away for a moment. A key frame is spread over the seconds after it: it
// comes because somebody joined, is paced on its way out, and must not cost the layer its viewers; who sends
// nothing but key frames is still counted whole. While nothing comes at all the last rate stays.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "core/units.h"

namespace huitang::sfu {

class LayerMeter {
 public:
  static constexpr core::Duration kBucket = core::Duration::millis(250);
  static constexpr size_t kBuckets = 4;
  static constexpr core::Duration kHold = core::Duration::seconds(5);
  /// Before that much was seen a rate would be a guess.
  static constexpr core::Duration kKnownAfter = core::Duration::millis(500);
  /// After a silence as long as this it begins anew; the last rate is held as any other.
  static constexpr core::Duration kSilence = core::Duration::seconds(3);
  /// Of each packet: RTP header, CSRC, extensions, authentication tag.
  static constexpr int64_t kOverhead = 44;
  static constexpr int64_t kKeyFrameParts = 20;  ///< a bucket takes one of what is left of key frames

  void handle_packet(core::Instant now, size_t payload, uint32_t timestamp, bool is_key_frame_start) {
    advance(now);
    if (is_key_frame_start) key_frame_ = timestamp;
    const int64_t bytes = static_cast<int64_t>(payload) + kOverhead;
    (key_frame_ == timestamp ? left_of_key_frames_ : buckets_[at_]) += bytes;
  }

  /// Zero while it is not known.
  core::Bitrate rate() const { return std::max(held_, held_before_); }

  /// The successor begins with it as after a silence (state.h).
  void restore(core::Bitrate rate) { held_before_ = rate; }

 private:
  void advance(core::Instant now) {
    if (!bucket_end_ || now - *bucket_end_ >= kSilence) return begin(now);
    while (now >= *bucket_end_) close_bucket();
  }
  void begin(core::Instant now) {
    held_before_ = rate();
    held_ = {};
    buckets_ = {};
    left_of_key_frames_ = 0;
    began_ = now;
    held_since_ = now;
    bucket_end_ = now + kBucket;
  }
  void close_bucket() {
    const int64_t part = (left_of_key_frames_ + kKeyFrameParts - 1) / kKeyFrameParts;
    left_of_key_frames_ -= part;
    buckets_[at_] += part;
    note(*bucket_end_);
    at_ = (at_ + 1) % kBuckets;
    buckets_[at_] = 0;
    *bucket_end_ += kBucket;
  }
  void note(core::Instant end) {
    const core::Duration seen = std::min(end - began_, kBucket * static_cast<int64_t>(kBuckets));
    if (seen < kKnownAfter) return;
    int64_t bytes = 0;
    for (const int64_t b : buckets_) bytes += b;
    if (end - held_since_ >= kHold) {
      held_before_ = held_;
      held_ = {};
      held_since_ = end;
    }
    held_ = std::max(held_, core::rate_of(core::ByteCount(bytes), seen));
  }

  std::array<int64_t, kBuckets> buckets_{};  ///< bytes
  size_t at_ = 0;
  std::optional<core::Instant> bucket_end_;
  core::Instant began_;
  core::Instant held_since_;
  core::Bitrate held_;         ///< the greatest since then
  core::Bitrate held_before_;  ///< the greatest of the stretch before
  int64_t left_of_key_frames_ = 0;
  std::optional<uint32_t> key_frame_;  ///< timestamp of the last
};

}  // namespace huitang::sfu
