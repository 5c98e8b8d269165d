// How long the path's queues are: one-way delay above the least of the last two minutes, which outlasts
// the sawtooth of a flow that fills the queue. The clocks of both ends differ by a constant that cancels out.
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
    recent_[next_++ % kRecent] = {now, least};
  }
  /// By the quickest packet of the last `span`, at least that of the last feedback: jitter needs a longer one.
  core::Duration queueing(core::Instant now, core::Duration span) const {
    if (next_ == 0) return {};
    core::Duration least = recent_[(next_ - 1) % kRecent].least;
    for (uint64_t i = next_ > kRecent ? next_ - kRecent : 0; i < next_; ++i) {
      if (now - recent_[i % kRecent].at <= span) least = std::min(least, recent_[i % kRecent].least);
    }
    return least - *std::min_element(least_.begin(), least_.end());
  }
  void reset() { *this = PathDelay(); }

 private:
  static constexpr size_t kSlots = 8;
  static constexpr core::Duration kSlot = core::Duration::seconds(20);
  static constexpr std::array<core::Duration, kSlots> nothing() {
    std::array<core::Duration, kSlots> a{};
    a.fill(core::Duration::max());
    return a;
  }
  std::array<core::Duration, kSlots> least_ = nothing();
  int64_t slot_ = 0;
  struct Recent {
    core::Instant at;
    core::Duration least;
  };
  static constexpr size_t kRecent = 20;
  std::array<Recent, kRecent> recent_{};
  uint64_t next_ = 0;
};

}  // namespace huitang::bwe
