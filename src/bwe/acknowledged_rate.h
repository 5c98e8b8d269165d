// At which rate packets arrive, robust against bursts: over half a second or more, without the longest pause,
// and never above the rate at which the same packets were sent.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bwe/delay_detector.h"
#include "core/units.h"

namespace huitang::bwe {

class AcknowledgedRate {
 public:
  static constexpr size_t kBuckets = 128;  ///< of 5 ms or more

  void handle_packet(const PacketTiming& p, core::ByteCount size);
  /// Nothing before some packets came over some time.
  std::optional<core::Bitrate> rate() const;
  void reset() { first_ = end_ = 0; }

 private:
  struct Bucket {
    core::Instant first_sent, last_sent, first_arrival, last_arrival;
    int64_t bytes = 0;
  };
  const Bucket& at(uint64_t i) const { return buckets_[i % kBuckets]; }
  void drop_old();

  std::array<Bucket, kBuckets> buckets_{};
  uint64_t first_ = 0, end_ = 0;
};

}  // namespace huitang::bwe
