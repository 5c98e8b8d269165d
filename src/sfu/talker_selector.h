// Which microphones of a group are let through: the loudest few, without flutter.
//
// With room, whoever is audible is let in with the very packet that says so (no clipped first syllable) and
// stays until long silence. Without room, a newcomer displaces the weakest only when clearly louder, and not
// one who has just come. Microphones marked as always heard are let through beside the others. Each packet
// costs O(1); the weakest is found again when the set changes and at each timeout.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "sfu/level_meter.h"

namespace huitang::sfu {

class TalkerSelector {
 public:
  static constexpr uint32_t kDefaultTop = 4;
  static constexpr float kDisplaceBy = 6;  ///< dB louder than the weakest
  static constexpr core::Duration kMinStay = core::Duration::millis(500);
  static constexpr core::Duration kSilentStay = core::Duration::seconds(5);

  struct Member {
    uint32_t source = 0;
    LevelMeter meter;
    bool is_always_heard = false;
    bool is_talker = false;
    core::Instant since;         ///< of becoming a talker
    core::Instant last_audible;  ///< valid for talkers
  };

  void set_top(uint32_t top) { top_ = top == 0 ? kDefaultTop : top; }
  uint32_t top() const { return top_; }

  /// Position of the new member.
  uint32_t add(uint32_t source);
  /// The last member takes the freed position; its source is returned when one moved.
  std::optional<uint32_t> remove(uint32_t position);
  void set_always_heard(uint32_t position, bool always) { members_[position].is_always_heard = always; }
  /// The microphone was closed: out at once, its loudness forgotten.
  bool mute(uint32_t position);

  /// A packet of that member with its level in -dBov. True when the set of talkers changed.
  bool handle_level(core::Instant now, uint32_t position, uint8_t level);
  bool handle_timeout(core::Instant now);

  bool is_heard(uint32_t position) const {
    return members_[position].is_talker || members_[position].is_always_heard;
  }
  const std::vector<Member>& members() const { return members_; }
  bool is_consistent() const;

  /// The whole of it but who is always heard, for a successor (state.h).
  static constexpr uint32_t kNobody = 0xffffffff;
  struct MemberState {
    uint32_t source = 0;
    LevelMeter::State meter;
    bool is_talker = false;
    core::Instant since;         ///< of becoming a talker
    core::Instant last_audible;  ///< valid for talkers
    friend bool operator==(const MemberState&, const MemberState&) = default;
  };
  struct State {
    std::vector<MemberState> members;  ///< by position
    uint32_t top = kDefaultTop;
    uint32_t weakest = kNobody;  ///< position of the talker who would be displaced first
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const;
  /// False when the weakest is no talker; then it is to be thrown away.
  bool restore(const State& state);

 private:
  void find_weakest(core::Instant now);
  void admit(core::Instant now, uint32_t position);
  bool may_displace(core::Instant now, const Member& newcomer) const;

  std::vector<Member> members_;
  uint32_t top_ = kDefaultTop;
  uint32_t talkers_ = 0;  ///< members with is_talker
  uint32_t weakest_ = kNobody;
};

}  // namespace huitang::sfu
