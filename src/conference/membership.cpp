// Who is in: joining, leaving, names, and sessions that come and go.
#include <algorithm>

#include "conference/operation.h"
#include "conference/text.h"

namespace huitang::conference {
namespace {

Verdict check_name(const Turn& turn, const std::string& name) {
  const auto chars = count_chars(name);
  if (!chars || *chars > turn.info().settings.limits.name_chars || !is_visible(name) ||
      !is_printable(name, false))
    return refuse(v1::REFUSAL_CODE_BAD_REQUEST, "name empty, too long, or with characters not allowed");
  return {};
}

const Participant* find_session(const Turn& turn, const SessionKey& session) {
  for (const auto& [_, p] : turn.before().participants)
    if (p.session == session) return &p;
  return nullptr;
}

// The caller's allocator gave a block that is not free: a bug outside, refused before it can mix up pictures.
Verdict check_sources(const Turn& turn, SourceNumber first) {
  const uint32_t n = first.value();
  bool is_taken = n == 0 || n > UINT32_MAX - kSourcesPerParticipant;
  for (const auto& [_, p] : turn.before().participants) {
    const uint32_t m = p.first_source.value();
    is_taken = is_taken || (n < m ? m - n : n - m) < kSourcesPerParticipant;
  }
  if (is_taken) return refuse(v1::REFUSAL_CODE_INTERNAL, "source numbers are not free");
  return {};
}

Verdict check_entry(const Turn& turn, const Join& join) {
  const State& state = turn.before();
  if (state.info.locked && !join.has_chair_token) return refuse(v1::REFUSAL_CODE_LOCKED, "locked");
  if (state.participants.size() >= state.info.settings.limits.participants)
    return refuse(v1::REFUSAL_CODE_LIMIT_REACHED, "the conference is full");
  if (join.session.value.empty()) return refuse(v1::REFUSAL_CODE_INTERNAL, "join without a session");
  if (Verdict name = check_name(turn, trimmed(join.name)); !name) return name;
  return check_sources(turn, join.first_source);
}

void come_back(Turn& turn, ParticipantId id) {
  Participant& p = turn.edit(id);
  p.connection = v1::CONNECTION_STATE_IN;
  p.away_since.reset();
  seat_chair(turn);
}

void go_away(Turn& turn, ParticipantId id) {
  if (turn.find(id)->connection == v1::CONNECTION_STATE_RECONNECTING) return;
  Participant& p = turn.edit(id);
  p.connection = v1::CONNECTION_STATE_RECONNECTING;
  p.away_since = turn.now();
}

}  // namespace

Verdict decide_join(Turn& turn, const Join& join) {
  const auto& barred = turn.before().barred;
  if (std::find(barred.begin(), barred.end(), join.session) != barred.end())
    return refuse(v1::REFUSAL_CODE_REMOVED, "this session was removed");
  if (const Participant* known = find_session(turn, join.session)) {
    turn.edit(known->id).peer_connected = join.peer_connected;
    come_back(turn, known->id);
    turn.set_joined(known->id);
    return {};
  }
  if (Verdict entry = check_entry(turn, join); !entry) return entry;
  Participant p;
  p.name = trimmed(join.name);
  p.role = join.has_chair_token ? v1::ROLE_CO_CHAIR : v1::ROLE_PARTICIPANT;
  p.muted_by_self = !join.microphone_on;
  p.camera_on = join.camera_on;
  p.joined = turn.now();
  p.peer_connected = join.peer_connected;
  p.first_source = join.first_source;
  p.session = join.session;
  p.has_chair_token = join.has_chair_token;
  const ParticipantId id = turn.add(std::move(p));
  seat_chair(turn);
  turn.set_joined(id);
  turn.notice(Happened::Joined, id);
  return {};
}

Verdict decide_leave(Turn& turn, const Leave&) {
  const ParticipantId id = *turn.actor().participant;
  turn.remove(id, v1::LEAVE_REASON_OWN_WISH);
  seat_chair(turn);
  turn.notice(Happened::Left, id);
  return {};
}

Verdict decide_rename(Turn& turn, const Rename& rename) {
  const std::string name = trimmed(rename.name);
  if (Verdict good = check_name(turn, name); !good) return good;
  const ParticipantId id = *turn.actor().participant;
  if (turn.find(id)->name == name) return {};
  turn.edit(id).name = name;
  turn.notice(Happened::Renamed, id);
  return {};
}

Verdict decide_session_lost(Turn& turn, const SessionLost& lost) {
  if (Verdict listed = require_listed(turn, lost.who); !listed) return listed;
  go_away(turn, lost.who);
  return {};
}

Verdict decide_session_back(Turn& turn, const SessionBack& back) {
  if (Verdict listed = require_listed(turn, back.who); !listed) return listed;
  come_back(turn, back.who);
  return {};
}

Verdict decide_lost_too_long(Turn& turn, const LostTooLong& lost) {
  if (Verdict listed = require_listed(turn, lost.who); !listed) return listed;
  if (turn.find(lost.who)->connection == v1::CONNECTION_STATE_IN) return {};  // came back in the meantime
  turn.remove(lost.who, v1::LEAVE_REASON_NETWORK);
  seat_chair(turn);
  turn.notice(Happened::Left, lost.who);
  return {};
}

Verdict decide_all_sessions_lost(Turn& turn, const AllSessionsLost&) {
  for (const ParticipantId id : turn.listed()) go_away(turn, id);
  return {};
}

Verdict decide_empty_too_long(Turn& turn, const EmptyTooLong&) {
  if (turn.listed().empty()) end_for_all(turn);
  return {};
}

}  // namespace huitang::conference
