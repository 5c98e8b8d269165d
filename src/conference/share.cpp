// Presentation (辅流): one presenter at a time.
#include "conference/operation.h"

namespace huitang::conference {

// Whoever has chair rights may take over; others have to wait until the presenter stops.
Verdict decide_start_share(Turn& turn, const StartShare& start) {
  const ParticipantId id = *turn.actor().participant;
  const Participant* presenter = turn.presenter();
  const bool is_other = presenter && presenter->id != id;
  if (is_other && !turn.has_chair_rights())
    return refuse(v1::REFUSAL_CODE_CONFLICT, "somebody else is sharing");
  if (is_other) turn.edit(presenter->id).share = Share::None;
  if (!presenter || is_other) turn.notice(Happened::ShareStarted, id);
  turn.edit(id).share = start.with_audio ? Share::PictureAndSound : Share::Picture;
  return {};
}

Verdict decide_stop_share(Turn& turn, const StopShare& stop) {
  if (!stop.target && !turn.actor().participant)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "whose share is to stop?");
  const ParticipantId target = stop.target ? *stop.target : *turn.actor().participant;
  const bool is_own = turn.actor().participant == target;
  if (!is_own && !turn.has_chair_rights()) return refuse(v1::REFUSAL_CODE_NOT_CHAIR, "needs chair rights");
  if (Verdict listed = require_listed(turn, target); !listed) return listed;
  if (!turn.find(target)->is_sharing()) return {};
  turn.edit(target).share = Share::None;
  turn.notice(Happened::ShareStopped, target);
  return {};
}

}  // namespace huitang::conference
