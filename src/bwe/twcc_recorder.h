// Receiver side of transport-wide congestion control: when packets of one transport arrived, told back to
// their sender (draft-holmer-rmcat-transport-wide-cc-extensions-01). `peer` feeds it with each packet that
// carries the number.
//
// Feedback leaves every 50 to 100 ms: often enough for the sender's estimator, at most about 5 % of the
// received rate. Late packets are reported once more from their place on, so that a sender sees a reordering
// as such and not as loss. Left out: any estimate (this folder's estimator works from the feedback of
// others).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "core/units.h"
#include "core/unwrap.h"

namespace huitang::bwe {

/// For hand-over to another process of this machine, whose clock is the same.
struct TwccRecorderState {
  bool started = false;
  int64_t last_number = 0;  ///< unwrapped, the one that came last
  int64_t begin = 0, end = 0, base = 0;
  std::vector<int64_t> arrivals;  ///< of begin .. end, nanoseconds; 0 = not arrived
  bool has_news = false, flushing = false;
  core::Instant first_news, last_sent;
  uint64_t bytes_since_sent = 0;
  core::Bitrate rate;
  uint32_t media_ssrc = 0;
  uint8_t feedback_count = 0;
  uint64_t packets = 0, duplicates = 0, jumps = 0, feedbacks = 0;
};

class TwccRecorder {
 public:
  struct Config {
    uint32_t sender_ssrc = 1;
    core::Duration min_interval = core::Duration::millis(50);
    core::Duration max_interval = core::Duration::millis(100);
    core::Duration reordering_window = core::Duration::millis(500);  ///< reported again within this time
  };
  static constexpr size_t kWindow = 1024;           ///< numbers kept; a power of two
  static constexpr size_t kEarlyFeedback = 512;     ///< new numbers that force a feedback before its time
  static constexpr size_t kMaxFeedbackSize = 1100;  ///< bytes of one RTCP packet

  explicit TwccRecorder(Config config) : config_(config) {}

  void handle_packet(core::Instant now, uint16_t number, uint32_t media_ssrc, core::ByteCount size);
  /// Writes one RTCP packet when feedback is due. Call until 0. `out` should hold kMaxFeedbackSize.
  size_t poll_feedback(core::Instant now, core::MutableBytes out);
  std::optional<core::Instant> deadline() const;

  struct Snapshot {
    uint64_t packets = 0;
    uint64_t duplicates = 0;
    uint64_t jumps = 0;  ///< numbers outside the window: counted anew from there
    uint64_t feedbacks = 0;
  };
  Snapshot snapshot() const { return counters_; }
  TwccRecorderState export_state() const;
  /// Once, before any packet: goes on where another process stopped. False when the state contradicts itself.
  bool restore(const TwccRecorderState& state);
  bool is_consistent() const;

 private:
  core::Duration interval() const;
  void forget_before(int64_t number);
  int64_t& slot(int64_t number) { return arrivals_[static_cast<uint64_t>(number) % kWindow]; }

  Config config_;
  core::Unwrapper<uint16_t> unwrapper_;
  std::array<int64_t, kWindow> arrivals_{};  ///< nanoseconds; 0 = not arrived
  int64_t begin_ = 0;                        ///< first number kept
  int64_t end_ = 0;                          ///< one past the highest
  int64_t base_ = 0;                         ///< first number the next feedback speaks of
  bool started_ = false;
  bool has_news_ = false;
  bool flushing_ = false;  ///< a feedback did not take all; the rest follows at once
  core::Instant first_news_;
  core::Instant last_sent_;
  uint64_t bytes_since_sent_ = 0;
  core::Bitrate rate_;
  uint32_t media_ssrc_ = 0;
  uint8_t feedback_count_ = 0;
  Snapshot counters_;
};

}  // namespace huitang::bwe
