// What one receiver may ask for again: each packet a few times, all together at a bounded pace. A receiver
// that asks for everything all the time harms only its own pictures.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/time.h"

namespace huitang::sfu {

class RetransmitLimiter {
 public:
  static constexpr uint8_t kMaxTries = 8;  ///< per packet
  static constexpr core::Duration kMinSpacing =
      core::Duration::millis(10);  ///< of tries, or half a round trip
  static constexpr double kPacketsPerSecond = 400;
  static constexpr double kBurst = 200;

  void set_round_trip_time(core::Duration rtt) { spacing_ = std::max(kMinSpacing, rtt / 2); }

  bool allows(core::Instant now, uint16_t slot, uint16_t sequence) {
    Asked& a = asked_[(sequence + slot * 37u) % asked_.size()];
    const bool same = a.tries != 0 && a.slot == slot && a.sequence == sequence;
    if (same && (a.tries >= kMaxTries || now - a.last < spacing_)) return false;
    refill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    a = {now, slot, sequence, static_cast<uint8_t>(same ? a.tries + 1 : 1)};
    return true;
  }

  /// For a successor (state.h). What was asked for how often is not carried over: a successor has none of it.
  struct State {
    core::Instant refilled;
    double tokens = kBurst;  ///< packets, 0 … kBurst
    core::Duration spacing = kMinSpacing;
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {refilled_, tokens_, spacing_}; }
  void restore(const State& s) {
    refilled_ = s.refilled;
    tokens_ = s.tokens;
    spacing_ = s.spacing;
  }

 private:
  struct Asked {
    core::Instant last;
    uint16_t slot = 0;
    uint16_t sequence = 0;
    uint8_t tries = 0;
  };
  void refill(core::Instant now) {
    tokens_ = std::min(kBurst, tokens_ + (now - refilled_).to_seconds() * kPacketsPerSecond);
    refilled_ = now;
  }

  std::array<Asked, 128> asked_{};
  core::Instant refilled_;
  double tokens_ = kBurst;
  core::Duration spacing_ = kMinSpacing;
};

}  // namespace huitang::sfu
