#include "conference/operation.h"

namespace huitang::conference {
namespace {

Verdict admit_participant(const Turn& turn) {
  if (!turn.actor().participant)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "only a participant can do this");
  const Participant* p = turn.actor_entity();
  if (!p || p->connection != v1::CONNECTION_STATE_IN)
    return refuse(v1::REFUSAL_CODE_NOT_IN, "the sender is not in");
  return {};
}

Verdict admit_present(const Turn& turn) {
  if (turn.actor().participant) return admit_participant(turn);
  if (turn.actor().entrance == v1::ENTRANCE_PAGE)
    return refuse(v1::REFUSAL_CODE_NOT_IN, "the sender is not in");
  return {};
}

Verdict admit_chair(const Turn& turn) {
  if (Verdict present = admit_present(turn); !present) return present;
  if (!turn.has_chair_rights()) return refuse(v1::REFUSAL_CODE_NOT_CHAIR, "needs chair rights");
  return {};
}

Verdict admit_newcomer(const Turn& turn) {
  if (turn.actor().participant)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "a participant cannot join again");
  return {};
}

Verdict admit_system(const Turn& turn) {
  if (turn.actor().participant || turn.actor().entrance != v1::ENTRANCE_AUTOMATIC)
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "an input of the system");
  return {};
}

}  // namespace

Verdict admit(const Turn& turn, Who who) {
  switch (who) {
    case Who::Participant: return admit_participant(turn);
    case Who::OwnOrChair: return admit_present(turn);
    case Who::Chair: return admit_chair(turn);
    case Who::Newcomer: return admit_newcomer(turn);
    case Who::System: return admit_system(turn);
  }
  return refuse(v1::REFUSAL_CODE_INTERNAL, "unknown right");
}

Verdict require_listed(const Turn& turn, ParticipantId target) {
  if (!turn.find(target)) return refuse(v1::REFUSAL_CODE_TARGET_ABSENT, "no such participant is in");
  return {};
}

std::string_view to_string(const Operation& operation) {
  return std::visit([]<class Op>(const Op&) { return std::get<Row<Op>>(kRows).name; }, operation);
}

}  // namespace huitang::conference
