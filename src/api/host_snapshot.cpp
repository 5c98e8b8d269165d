// The host's part of the administrator's snapshot: sockets, sessions, conferences and what the node was told.
#include "api/conference_host.h"
#include "api/debug_snapshot.h"
#include "huitang/v1/debug.pb.h"

namespace huitang::api {

namespace {

const char* name_of(PeerLife life) {
  switch (life) {
    case PeerLife::None: return "none";
    case PeerLife::Opening: return "opening";
    case PeerLife::Open: return "open";
  }
  return "?";
}

uint64_t milliseconds(core::Duration d) { return static_cast<uint64_t>(std::max<int64_t>(d.to_millis(), 0)); }

void fill_participant(v1::DebugParticipant& out, const conference::Participant& p, const Veil& veil) {
  out.set_id(conference::to_text(p.id));
  out.set_name(veil.shown(p.name));
  out.set_role(p.role);
  out.set_connection(p.connection);
  out.set_session(Veil::hidden(p.session.value));
  out.set_peer_connected(p.peer_connected);
  out.set_muted_by_self(p.muted_by_self);
  out.set_muted_by_chair(p.muted_by_chair);
  out.set_camera_on(p.camera_on);
  out.set_first_source(p.first_source.value());
}

void fill_plan(v1::DebugPlan& out, const MediaPlan& plan) {
  for (const auto& [number, source] : plan.sources) out.add_sources(number);
  for (const PeerId peer : plan.listeners) out.add_listeners(peer.value());
  for (const uint32_t number : plan.always_heard) out.add_always_heard(number);
  out.set_viewers(static_cast<uint32_t>(plan.views.size()));
  size_t slots = 0;
  for (const auto& [peer, view] : plan.views) slots += view.size();
  out.set_slots(static_cast<uint32_t>(slots));
}

void fill_conference(v1::DebugConference& out, const LiveConference& live, const Veil& veil) {
  const conference::State& state = live.state();
  out.set_number(veil.shown(state.info.number));
  out.set_title(veil.shown(state.info.title));
  out.set_locked(state.info.locked);
  out.set_last_change(state.last_change);
  out.set_writing(static_cast<uint32_t>(live.writing));
  out.set_outcomes_waiting(static_cast<uint32_t>(live.ledger.pending()));
  out.set_facts_to_retry(static_cast<uint32_t>(live.retry.size()));
  for (const auto& [id, p] : state.participants) fill_participant(*out.add_participants(), p, veil);
  fill_plan(*out.mutable_held(), live.held);
  for (const uint32_t source : live.speakers) out.add_speakers(source);
  out.set_active_speaker(live.active_speaker);
}

}  // namespace

void ConferenceHost::fill_snapshot(v1::DebugSnapshot& out, const Veil& veil) const {
  const core::Instant now = clock_.monotonic();
  for (const auto& [id, socket] : sockets_) {
    v1::DebugSocket& row = *out.add_sockets();
    row.set_id(id.value());
    row.set_from(veil.shown(socket->from));
    row.set_session(Veil::hidden(socket->session));
    row.set_age_ms(milliseconds(now - socket->opened));
    row.set_strikes(static_cast<uint32_t>(socket->strikes));
  }
  for (const auto& [id, session] : sessions_) {
    v1::DebugSession& row = *out.add_sessions();
    row.set_id(Veil::hidden(id));
    row.set_peer(session->peer.value());
    row.set_peer_life(name_of(session->peer_life));
    row.set_peer_connected(session->peer_connected);
    if (session->socket) row.set_socket(session->socket->value());
    if (!session->socket) row.set_lost_ms(milliseconds(now - session->lost_at));
    row.set_conference(veil.shown(session->conference));
    if (session->is_in()) row.set_participant(conference::to_text(session->participant));
    row.set_joining(session->joining);
    if (session->view) row.set_view_slots(static_cast<uint32_t>(session->view->size()));
  }
  for (const auto& [number, live] : conferences_) fill_conference(*out.add_conferences(), *live, veil);
  out.set_commands_under_way(static_cast<uint32_t>(pending_.size()));
}

}  // namespace huitang::api
