#include "bwe/acknowledged_rate.h"

#include <algorithm>

namespace huitang::bwe {

namespace {
constexpr core::Duration kBucket = core::Duration::millis(5);
constexpr core::Duration kWindow = core::Duration::millis(500);
constexpr core::Duration kMaxWindow = core::Duration::millis(2500);
constexpr core::Duration kLeastSpan = core::Duration::millis(100);
constexpr uint64_t kLeastBuckets = 6;

/// A span without its longest pause; the next longest stands in for it.
class Span {
 public:
  void pause(core::Duration d) {
    if (d > longest_) {
      second_ = longest_;
      longest_ = d;
    } else {
      second_ = std::max(second_, d);
    }
  }
  core::Duration without_longest(core::Duration whole) const { return whole - longest_ + second_; }

 private:
  core::Duration longest_, second_;
};
}  // namespace

void AcknowledgedRate::handle_packet(const PacketTiming& p, core::ByteCount size) {
  if (end_ > first_) {
    Bucket& last = buckets_[(end_ - 1) % kBuckets];
    // Time went back by more than any reordering: other clocks.
    if (p.arrival - last.first_arrival < -kMaxWindow || p.arrival - last.last_arrival > kMaxWindow) reset();
    if (end_ > first_ && p.arrival - last.first_arrival < kBucket) {
      last.last_arrival = std::max(last.last_arrival, p.arrival);
      last.last_sent = std::max(last.last_sent, p.sent);
      last.first_sent = std::min(last.first_sent, p.sent);
      last.bytes += size.value();
      return;
    }
  }
  if (end_ - first_ == kBuckets) ++first_;
  buckets_[end_++ % kBuckets] = {p.sent, p.sent, p.arrival, p.arrival, size.value()};
  drop_old();
}

void AcknowledgedRate::drop_old() {
  const core::Instant newest = at(end_ - 1).last_arrival;
  while (end_ - first_ > kLeastBuckets && newest - at(first_ + 1).first_arrival >= kWindow) ++first_;
  while (end_ - first_ > 1 && newest - at(first_).first_arrival > kMaxWindow) ++first_;
}

std::optional<core::Bitrate> AcknowledgedRate::rate() const {
  if (end_ - first_ < kLeastBuckets) return std::nullopt;
  int64_t bytes = 0;
  Span received;
  Span sent;
  core::Instant first_sent = at(first_).first_sent;
  core::Instant last_sent = at(first_).last_sent;
  for (uint64_t i = first_; i < end_; ++i) {
    bytes += at(i).bytes;
    if (i > first_) {
      received.pause(at(i).first_arrival - at(i - 1).last_arrival);
      sent.pause(at(i).first_sent - last_sent);
    }
    first_sent = std::min(first_sent, at(i).first_sent);
    last_sent = std::max(last_sent, at(i).last_sent);
  }
  // The first (last) of a span is its start: its bytes belong to the time before (after).
  const auto span = received.without_longest(at(end_ - 1).last_arrival - at(first_).last_arrival);
  if (span < kLeastSpan) return std::nullopt;
  const auto sent_span = std::max(sent.without_longest(last_sent - first_sent), kLeastSpan);
  const auto in = core::rate_of(core::ByteCount(bytes - at(first_).bytes), span);
  const auto out = core::rate_of(core::ByteCount(bytes - at(end_ - 1).bytes), sent_span);
  return std::min(in, out);
}

}  // namespace huitang::bwe
