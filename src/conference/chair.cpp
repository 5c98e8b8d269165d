// What the chair does to others and to the conference, and who is chair.
#include "conference/operation.h"

namespace huitang::conference {

Verdict decide_mute_other(Turn& turn, const MuteOther& mute) {
  if (Verdict listed = require_listed(turn, mute.target); !listed) return listed;
  if (turn.find(mute.target)->muted_by_chair) return {};
  turn.edit(mute.target).muted_by_chair = true;
  turn.notice(Happened::Muted, mute.target);
  return {};
}

// The chair's block goes, and silence becomes the person's own, to be ended by the person: nobody's
// microphone is opened by somebody else (CONFERENCE-CONTROL.md section 1, "open").
Verdict decide_ask_unmute(Turn& turn, const AskUnmute& ask) {
  if (Verdict listed = require_listed(turn, ask.target); !listed) return listed;
  if (!is_muted(turn.info(), *turn.find(ask.target))) return {};
  Participant& p = turn.edit(ask.target);
  p.muted_by_self = true;
  p.muted_by_chair = false;
  turn.notice(Happened::AskedToUnmute, ask.target);
  return {};
}

Verdict decide_remove(Turn& turn, const RemoveParticipant& remove) {
  if (Verdict listed = require_listed(turn, remove.target); !listed) return listed;
  const Participant* actor = turn.actor_entity();
  if (actor && actor->id == remove.target)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "to go oneself is to leave");
  if (actor && turn.find(remove.target)->role == v1::ROLE_CHAIR)
    return refuse(v1::REFUSAL_CODE_NOT_CHAIR, "a co-chair cannot remove the chair");
  turn.remove(remove.target, v1::LEAVE_REASON_REMOVED);
  seat_chair(turn);
  turn.notice(Happened::Removed, remove.target);
  return {};
}

Verdict decide_set_lock(Turn& turn, const SetLock& set) {
  if (turn.info().locked == set.locked) return {};
  turn.edit_info().locked = set.locked;
  turn.notice(set.locked ? Happened::Locked : Happened::Unlocked);
  return {};
}

Verdict decide_end(Turn& turn, const EndConference&) {
  end_for_all(turn);
  return {};
}

// The one who dropped stays a holder of the token: back before anybody else sat down, he is chair again.
Verdict decide_chair_away_too_long(Turn& turn, const ChairAwayTooLong&) {
  const Participant* chair = turn.chair();
  if (!chair || chair->connection == v1::CONNECTION_STATE_IN) return {};
  const ParticipantId old = chair->id;
  turn.edit(old).role = v1::ROLE_CO_CHAIR;
  seat_chair(turn);
  const Participant* next = turn.chair();
  turn.notice(Happened::RoleChanged, next ? next->id : old);
  return {};
}

void seat_chair(Turn& turn) {
  if (turn.chair()) return;
  for (const ParticipantId id : turn.listed()) {
    const Participant& p = *turn.find(id);
    if (p.role != v1::ROLE_CO_CHAIR || p.connection != v1::CONNECTION_STATE_IN) continue;
    turn.edit(id).role = v1::ROLE_CHAIR;
    return;
  }
}

void end_for_all(Turn& turn) {
  for (const ParticipantId id : turn.listed()) turn.remove(id, v1::LEAVE_REASON_CONFERENCE_ENDED);
  turn.edit_info().ended = true;
  turn.notice(Happened::Ended);
}

}  // namespace huitang::conference
