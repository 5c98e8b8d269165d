// How long the path's queues are: one-way delay above the least of the last half minute. The clocks of both
// ends differ by a constant that cancels out.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/time.h"

namespace huitang::bwe {

class PathDelay {
 public:
  /// `least` is the smallest one-way delay of the packets of one feedback.
  void handle(core::Instant now, core::Duration least) {
    const int64_t slot = now.to_nanos() / kSlot.to_nanos();
    for (int64_t k = std::max(slot_ + 1, slot - static_cast<int64_t>(kSlots) + 1); k <= slot; ++k) {
      least_[static_cast<uint64_t>(k) % kSlots] = core::Duration::max();
    }
    slot_ = std::max(slot, slot_);
    auto& open = least_[static_cast<uint64_t>(slot_) % kSlots];
    open = std::min(open, least);
    queueing_ = least - *std::min_element(least_.begin(), least_.end());
  }
  core::Duration queueing() const { return queueing_; }
  void reset() { *this = PathDelay(); }

 private:
  static constexpr size_t kSlots = 8;
  static constexpr core::Duration kSlot = core::Duration::seconds(4);
  static constexpr std::array<core::Duration, kSlots> nothing() {
    std::array<core::Duration, kSlots> a{};
    a.fill(core::Duration::max());
    return a;
  }
  std::array<core::Duration, kSlots> least_ = nothing();
  int64_t slot_ = 0;
  core::Duration queueing_;
};

}  // namespace huitang::bwe
