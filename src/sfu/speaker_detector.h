// The active speaker of a group: who speaks for two seconds takes over, and is shown for three at least.
//
// (CONFERENCE-CONTROL "voice switching": hold time 2 s over threshold, at least 3 s on screen.) The first
// speaker of all is taken sooner. Silence keeps the last one. Earlier speakers are remembered, so that the
// speaker himself can be shown the one before him.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/time.h"
#include "sfu/talker_selector.h"

namespace huitang::sfu {

class SpeakerDetector {
 public:
  static constexpr core::Duration kHold = core::Duration::seconds(2);
  static constexpr core::Duration kFirstHold = core::Duration::millis(300);
  static constexpr core::Duration kMinShown = core::Duration::seconds(3);
  static constexpr core::Duration kPause =
      core::Duration::millis(600);       ///< between words; does not end a speech
  static constexpr float kLouderBy = 3;  ///< dB that a talker needs over one who speaks as well
  static constexpr size_t kRemembered = 4;

  /// True when the active speaker changed. Members are microphones that may be heard.
  bool handle_timeout(core::Instant now, std::span<const TalkerSelector::Member> members);
  /// That microphone is gone or closed.
  void forget(uint32_t source);

  /// Sources, latest first; [0] is the active speaker.
  std::span<const uint32_t> speakers() const { return {speakers_.data(), count_}; }
  std::optional<uint32_t> active() const {
    return count_ == 0 ? std::nullopt : std::optional<uint32_t>(speakers_[0]);
  }

  struct Speech {
    uint32_t source = 0;
    core::Instant began;
    core::Instant last_loud;
    friend bool operator==(const Speech&, const Speech&) = default;
  };
  /// The whole of it, for a successor (state.h).
  struct State {
    std::vector<Speech> speeches;    ///< of those speaking now
    std::vector<uint32_t> speakers;  ///< sources, latest first, at most kRemembered
    core::Instant shown_since;       ///< of speakers[0]
    bool has_active_left = true;     ///< the active one is gone, or never was
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const;
  /// False when it remembers too many, or an active speaker without being one; then it is to be thrown away.
  bool restore(const State& state);

 private:
  void follow(core::Instant now, std::span<const TalkerSelector::Member> members);
  const Speech* find_speech(uint32_t source) const;
  void take_over(core::Instant now, uint32_t source);

  std::vector<Speech> speeches_;  ///< of those speaking now: few
  std::array<uint32_t, kRemembered> speakers_{};
  size_t count_ = 0;
  core::Instant shown_since_;
  bool active_left_ = true;  ///< the active one is gone (or never was): no need to wait the minimum
};

}  // namespace huitang::sfu
