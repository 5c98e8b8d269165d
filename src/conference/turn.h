// One turn of a conference: what an operation's function sees, and the change it drafts. Nothing is changed
// until the whole turn was accepted; an operation that drafts nothing new yields no change.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "conference/command.h"
#include "conference/effects.h"
#include "core/result.h"

namespace huitang::conference {

using Verdict = core::Result<void, Refusal>;

inline core::Unexpected<Refusal> refuse(v1::RefusalCode code, std::string detail) {
  return core::err(Refusal{code, std::move(detail)});
}

class Turn {
 public:
  Turn(const State& before, core::WallTime now, const Actor& actor)
      : before_(before), now_(now), actor_(actor) {}

  core::WallTime now() const { return now_; }
  const Actor& actor() const { return actor_; }
  /// Null for API and system.
  const Participant* actor_entity() const { return actor_.participant ? find(*actor_.participant) : nullptr; }
  bool has_chair_rights() const;
  const State& before() const { return before_; }
  const Info& info() const { return info_ ? *info_ : before_.info; }

  /// With what this turn has changed already; null when not listed, or gone in this turn.
  const Participant* find(ParticipantId) const;
  std::vector<ParticipantId> listed() const;
  /// Whoever shares, or null.
  const Participant* presenter() const;
  const Participant* chair() const;

  /// Only for ids that find() knows.
  Participant& edit(ParticipantId);
  Info& edit_info();
  ParticipantId add(Participant);
  void remove(ParticipantId, v1::LeaveReason);
  void say(ChatMessage);
  void notice(Happened what, ParticipantId who = {}) { happening_ = {what, who}; }
  void set_joined(ParticipantId id) { joined_ = id; }
  std::optional<ParticipantId> joined() const { return joined_; }

  /// Absent when nothing differs from before and there is nothing to tell.
  std::optional<Change> take_change(const std::string& command_id);

 private:
  void note_emptiness();
  std::string name_of_author() const;

  const State& before_;
  core::WallTime now_;
  Actor actor_;
  std::optional<Info> info_;
  std::map<ParticipantId, Participant> edited_;
  std::vector<Gone> gone_;
  std::vector<ChatMessage> chat_;
  Happening happening_;
  std::optional<ParticipantId> joined_;
};

}  // namespace huitang::conference
