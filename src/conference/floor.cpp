// Raised hands. Later: floor requests with grant and refusal.
#include "conference/operation.h"

namespace huitang::conference {
namespace {

Verdict lower_hand_of_other(Turn& turn, const SetHand& set) {
  if (!turn.has_chair_rights()) return refuse(v1::REFUSAL_CODE_NOT_CHAIR, "needs chair rights");
  if (Verdict listed = require_listed(turn, *set.target); !listed) return listed;
  if (set.up) return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "another's hand can only be lowered");
  return {};
}

}  // namespace

Verdict decide_set_hand(Turn& turn, const SetHand& set) {
  if (!set.target && !turn.actor().participant) return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "whose hand?");
  const ParticipantId target = set.target ? *set.target : *turn.actor().participant;
  if (turn.actor().participant != target) {
    if (Verdict other = lower_hand_of_other(turn, set); !other) return other;
  }
  if (turn.find(target)->hand_since.has_value() == set.up) return {};
  turn.edit(target).hand_since = set.up ? std::optional(turn.now()) : std::nullopt;
  turn.notice(set.up ? Happened::HandRaised : Happened::HandLowered, target);
  return {};
}

}  // namespace huitang::conference
