// The conference host and the media node: the plan of each conference, the state of peers, who speaks.
#include <algorithm>

#include "api/conference_host.h"
#include "api/log.h"
#include "api/wire.h"
#include "huitang/v1/media.pb.h"

namespace huitang::api {
namespace {

constexpr core::Duration kSpeakersInterval = core::Duration::millis(200);

View view_from(const v1::SetPeerView& view) {
  View out;
  for (const v1::PeerSlot& slot : view.slots()) {
    const uint32_t source = slot.show_case() == v1::PeerSlot::kSource ? slot.source() : 0;
    if (slot.show_case() != v1::PeerSlot::SHOW_NOT_SET)
      out.push_back({slot.use(), slot.index(), source, slot.width(), slot.height()});
  }
  return out;
}

}  // namespace

Session* ConferenceHost::find_session(PeerId peer) {
  const auto at = peers_.find(peer);
  return at == peers_.end() ? nullptr : find_session(at->second);
}

MediaPlan ConferenceHost::wanted_plan(const LiveConference& live) const {
  MediaPlan plan;
  const conference::State& state = live.state();
  for (const auto& [id, session_id] : live.members) {
    const auto session = sessions_.find(session_id);
    const auto participant = state.participants.find(id);
    if (session == sessions_.end() || participant == state.participants.end()) continue;
    const Session& owner = *session->second;
    if (owner.peer_life != PeerLife::Open) continue;
    plan.listeners.insert(owner.peer);
    for (const v1::SourceKind kind : conference::kSourceKinds) {
      const bool forwarded = conference::is_forwarded(state.info, participant->second, kind);
      plan.sources[participant->second.source(kind).value()] = {owner.peer, line_use_of(kind), forwarded};
    }
    if (participant->second.has_chair_rights())
      plan.always_heard.insert(participant->second.source(v1::SOURCE_KIND_MICROPHONE).value());
    const auto held = live.held.views.find(owner.peer);
    if (owner.view) {
      plan.views[owner.peer] = allowed_view(*owner.view, state, id);
    } else if (held != live.held.views.end()) {
      plan.views[owner.peer] = allowed_view(held->second, state, id);
    }
  }
  return plan;
}

void ConferenceHost::sync_media(LiveConference& live) {
  if (!media_->is_ready()) return;
  MediaPlan wanted = live.state().info.ended ? MediaPlan() : wanted_plan(live);
  for (v1::MediaMessage& message : difference(live.group, live.held, wanted)) ask_node(std::move(message));
  const bool close = wanted.is_empty() && !live.held.is_empty();
  live.held = std::move(wanted);
  if (!close) return;
  v1::MediaMessage message;
  message.mutable_close_group()->set_group(live.group.value());
  ask_node(std::move(message));
}

void ConferenceHost::ask_node(v1::MediaMessage message) {
  if (!media_->is_ready()) return;
  media_->request(std::move(message), [this, alive = std::weak_ptr(alive_)](const v1::MediaMessage* reply) {
    if (alive.expired() || reply == nullptr || !reply->has_error()) return;
    metrics_.add(Metric::MediaRequestsFailed);
    logger().warn("media node refused", {{"code", v1::RefusalCode_Name(reply->error().code())},
                                         {"detail", reply->error().detail()}});
  });
}

void ConferenceHost::handle_node_ready(const v1::Snapshot& snapshot) {
  node_lost_at_.reset();
  take_snapshot(snapshot);
  for (const auto& [number, live] : conferences_) sync_media(*live);
}

void ConferenceHost::take_snapshot(const v1::Snapshot& snapshot) {
  std::unordered_map<PeerId, const v1::SnapshotPeer*> alive;
  for (const v1::SnapshotPeer& peer : snapshot.peers()) alive.emplace(PeerId(peer.peer()), &peer);
  for (const auto& [number, live] : conferences_) live->held = {};
  std::map<uint64_t, LiveConference*> groups;
  for (const auto& [number, live] : conferences_) groups.emplace(live->group.value(), live.get());

  for (const v1::BindSource& source : snapshot.sources()) {
    const auto group = groups.find(source.group());
    if (group != groups.end()) {
      group->second->held.sources[source.source()] = {PeerId(source.peer()), source.use(),
                                                      source.forwarded()};
    } else {
      v1::MediaMessage unbind;
      unbind.mutable_unbind_source()->set_source(source.source());
      ask_node(std::move(unbind));
    }
  }
  for (const v1::SetGroup& held : snapshot.groups()) {
    const auto group = groups.find(held.group());
    if (group != groups.end()) {
      MediaPlan& plan = group->second->held;
      for (const uint64_t peer : held.listeners()) plan.listeners.insert(PeerId(peer));
      plan.always_heard.insert(held.always_heard().begin(), held.always_heard().end());
    } else {
      v1::MediaMessage close;
      close.mutable_close_group()->set_group(held.group());
      ask_node(std::move(close));
    }
  }
  for (const auto& [peer, held] : alive) {
    if (peers_.contains(peer)) continue;
    v1::MediaMessage close;
    close.mutable_close_peer()->set_peer(peer.value());
    ask_node(std::move(close));
  }
  for (const auto& [id, session] : sessions_) {
    const auto held = alive.find(session->peer);
    session->worker.reset();
    // One that has ended stays with the node until it is told to let go of it.
    const bool has_ended = held != alive.end() && held->second->state() == v1::PEER_STATE_FAILED;
    if (has_ended) {
      session->peer_life = PeerLife::Open;
      close_peer(*session);
    }
    if (held == alive.end() || has_ended) {
      const bool should_have = has_ended || session->offers > 0 || session->is_in();
      set_peer(*session, PeerLife::None, false);
      if (should_have) tell_peer(*session, v1::PEER_STATE_UNSPECIFIED, true);
      continue;
    }
    LiveConference* live = session->is_in() ? find_conference(session->conference) : nullptr;
    if (live != nullptr && held->second->has_view())
      live->held.views[session->peer] = view_from(held->second->view());
    session->worker = held->second->worker();
    PausedSlots paused;
    for (const v1::SlotPaused& slot : held->second->paused())
      paused[{slot.use(), slot.index()}] = slot.source();
    if (paused != session->paused.value_or(PausedSlots())) {
      session->paused = std::move(paused);
      tell_paused(*session);
    }
    set_peer(*session, PeerLife::Open, held->second->state() == v1::PEER_STATE_CONNECTED);
  }
  for (const v1::LayerDemand& demand : snapshot.demands()) handle_demand(demand);
}

void ConferenceHost::handle_node_lost() {
  node_lost_at_ = clock_.monotonic();
  worker_levels_.clear();
  metrics_.set(Metric::BoxFull, 0);
  logger().warn("media node lost");
}

void ConferenceHost::handle_node_event(const v1::MediaMessage& event) {
  switch (event.body_case()) {
    case v1::MediaMessage::kPeerState: return handle_peer_state(event.peer_state());
    case v1::MediaMessage::kGroupSpeakers: return handle_speakers(event.group_speakers());
    case v1::MediaMessage::kSlotPaused: return handle_paused(event.slot_paused());
    case v1::MediaMessage::kHealth: return handle_health(event.health());
    case v1::MediaMessage::kLayerDemand: return handle_demand(event.layer_demand());
    default: return;  // SourceFlow is for later issues; what a newer node adds is not for us
  }
}

void ConferenceHost::handle_health(const v1::NodeHealth& health) {
  std::map<std::string, uint64_t> counters(health.counters().begin(), health.counters().end());
  counters["packets_in_total"] = health.packets_in();
  counters["packets_out_total"] = health.packets_out();
  counters["packets_dropped_total"] = health.packets_dropped();
  counters["peers"] = health.peers();
  counters["cpu_milliseconds_total"] = static_cast<uint64_t>(health.cpu_seconds() * 1000);
  worker_levels_.clear();
  for (int i = 0; i < health.loads_size(); ++i) {
    worker_levels_.push_back(health.loads(i).level());
    counters["worker_" + std::to_string(i) + "_load_level"] = health.loads(i).level();
    counters["worker_" + std::to_string(i) + "_load_percent"] = health.loads(i).percent();
  }
  metrics_.set_media(std::move(counters));
  metrics_.set(Metric::BoxFull, is_full(std::nullopt));
}

/// Whether a newcomer would cost those inside: on the worker of his peer, or, while he has none, wherever the
/// node would put it.
bool ConferenceHost::is_full(std::optional<uint32_t> worker) const {
  if (worker && *worker < worker_levels_.size()) return worker_levels_[*worker] != 0;
  return !worker_levels_.empty() && std::ranges::find(worker_levels_, 0u) == worker_levels_.end();
}

void ConferenceHost::set_peer(Session& session, PeerLife life, bool connected) {
  session.peer_life = life;
  session.peer_connected = connected;
  if (life == PeerLife::None) session.paused.reset();
  if (life == PeerLife::None) session.demands.clear();
  LiveConference* live = session.is_in() ? find_conference(session.conference) : nullptr;
  if (live == nullptr) return;
  if (life == PeerLife::None) live->held.forget(session.peer);
  // What is on its way to the disk counts: a peer that comes back before its going is written is back.
  const conference::Participant* participant = live->ledger.ahead().find(session.participant);
  if (participant == nullptr || participant->peer_connected == connected) return;
  if (connected) {
    submit_fact(*live, conference::PeerConnected{session.participant});
  } else {
    submit_fact(*live, conference::PeerGone{session.participant});
  }
}

void ConferenceHost::tell_peer(const Session& session, v1::PeerState state, bool please_reconnect) {
  v1::ServerMessage message;
  message.mutable_peer_changed()->set_state(state);
  message.mutable_peer_changed()->set_please_reconnect(please_reconnect);
  send(session, message);
}

void ConferenceHost::handle_peer_state(const v1::NodePeerState& state) {
  Session* session = find_session(PeerId(state.peer()));
  // While an offer for a new peer is with the node, its events are of the peer before.
  if (session == nullptr || session->peer_life != PeerLife::Open) return;
  const bool failed = state.state() == v1::PEER_STATE_FAILED;
  logger().debug(
      "peer state",
      {{"peer", state.peer()}, {"state", v1::PeerState_Name(state.state())}, {"reason", state.reason()}});
  // The node keeps an ended peer until it is told to let go of it; the client's next one has the same id.
  if (failed) close_peer(*session);
  set_peer(*session, failed ? PeerLife::None : session->peer_life, state.state() == v1::PEER_STATE_CONNECTED);
  tell_peer(*session, state.state(), failed);
}

void ConferenceHost::handle_speakers(const v1::GroupSpeakers& speakers) {
  for (const auto& [number, live] : conferences_) {
    if (live->group.value() != speakers.group()) continue;
    live->speakers.assign(speakers.sources().begin(), speakers.sources().end());
    live->active_speaker = speakers.active();
    live->speakers_due = true;
    return flush_speakers(*live, clock_.monotonic());
  }
}

void ConferenceHost::handle_paused(const v1::SlotPaused& slot) {
  Session* session = find_session(PeerId(slot.peer()));
  if (session == nullptr || session->peer_life != PeerLife::Open) return;
  if (!session->paused) session->paused.emplace();
  if (slot.source() == 0) {
    session->paused->erase({slot.use(), slot.index()});
  } else {
    (*session->paused)[{slot.use(), slot.index()}] = slot.source();
  }
  tell_paused(*session);
}

void ConferenceHost::tell_paused(const Session& session) {
  if (!session.paused) return;
  v1::ServerMessage message;
  v1::PausedPictures& paused = *message.mutable_paused_pictures();
  for (const auto& [slot, source] : *session.paused) {
    v1::PausedPictures::Picture& picture = *paused.add_pictures();
    picture.set_use(slot.first);
    picture.set_index(slot.second);
    picture.set_source(source);
  }
  send(session, message);
}

void ConferenceHost::handle_demand(const v1::LayerDemand& demand) {
  Session* session = find_session(PeerId(demand.peer()));
  if (session == nullptr || session->peer_life == PeerLife::None) return;
  const v1::SourceKind kind = source_kind_of(demand.use());
  if (kind != v1::SOURCE_KIND_CAMERA && kind != v1::SOURCE_KIND_SCREEN) return;
  session->demands[kind] = demand.layers();
  tell_demands(*session);
}

/// All of them each time: there are two at most, and a client that was away has missed any number.
void ConferenceHost::tell_demands(const Session& session) {
  for (const auto& [kind, layers] : session.demands) {
    v1::ServerMessage message;
    message.mutable_source_demand()->set_kind(kind);
    message.mutable_source_demand()->set_layers(layers);
    send(session, message);
  }
}

void ConferenceHost::flush_speakers(LiveConference& live, core::Instant now) {
  if (!live.speakers_due || now - live.speakers_sent < kSpeakersInterval) return;
  live.speakers_due = false;
  live.speakers_sent = now;
  v1::ServerMessage message;
  for (const uint32_t source : live.speakers) message.mutable_speakers()->add_sources(source);
  message.mutable_speakers()->set_active(live.active_speaker);
  const auto text = std::make_shared<const std::string>(write_server_message(message));
  for (const auto& [id, session_id] : live.members) {
    const Session* session = find_session(session_id);
    if (session != nullptr && session->socket) sockets_port_->send(*session->socket, text);
  }
}

}  // namespace huitang::api
