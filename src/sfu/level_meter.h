// Loudness of one microphone over time, from the levels in its packets (RFC 6464).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/time.h"

namespace huitang::sfu {

/// Loudness is 127 minus the level in -dBov: 0 silence, 127 the loudest; differences are dB.
class LevelMeter {
 public:
  static constexpr float kAudible = 32;   ///< above the noise of a quiet room with an open microphone
  static constexpr float kSpeaking = 77;  ///< -50 dBov: somebody speaks
  static constexpr core::Duration kQuietAfter = core::Duration::millis(150);  ///< no packets: DTX or loss

  void handle_level(core::Instant now, uint8_t level) {
    const float in = static_cast<float>(127 - std::min<uint8_t>(level, 127));
    fast_ += (in - fast_) * (in > fast_ ? kAttack : kRelease);
    slow_ += (in - slow_) * (in > slow_ ? kSlowAttack : kSlowRelease);
    last_ = now;
  }
  /// For choosing who is heard: up within 60 ms, down within 400 ms.
  float loudness(core::Instant now) const { return faded(now, fast_); }
  /// For choosing who is shown: about half a second.
  float slow_loudness(core::Instant now) const { return faded(now, slow_); }
  void reset() { fast_ = slow_ = 0; }

  /// The whole of it, for a successor (state.h).
  struct State {
    float fast = 0;  ///< loudness, 0 … 127
    float slow = 0;
    core::Instant last;  ///< packet
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {fast_, slow_, last_}; }
  void restore(const State& s) {
    fast_ = s.fast;
    slow_ = s.slow;
    last_ = s.last;
  }

 private:
  // Per packet of 20 ms.
  static constexpr float kAttack = 0.4F;
  static constexpr float kRelease = 0.08F;
  static constexpr float kSlowAttack = 0.1F;
  static constexpr float kSlowRelease = 0.03F;
  static constexpr float kFadePerSecond = 100;  ///< dB, while nothing comes

  float faded(core::Instant now, float v) const {
    const core::Duration idle = now - last_ - kQuietAfter;
    if (idle <= core::Duration()) return v;
    return std::max(0.0F, v - kFadePerSecond * static_cast<float>(idle.to_seconds()));
  }

  float fast_ = 0;
  float slow_ = 0;
  core::Instant last_;
};

}  // namespace huitang::sfu
