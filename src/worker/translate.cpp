#include "worker/translate.h"

#include <algorithm>

namespace huitang::worker {

namespace {

v1::PeerState state_to(peer::PeerState state) {
  switch (state) {
    case peer::PeerState::New: return v1::PEER_STATE_NEW;
    case peer::PeerState::Connecting: return v1::PEER_STATE_CONNECTING;
    case peer::PeerState::Connected: return v1::PEER_STATE_CONNECTED;
    case peer::PeerState::Disconnected: return v1::PEER_STATE_DISCONNECTED;
    case peer::PeerState::Failed: return v1::PEER_STATE_FAILED;
  }
  return v1::PEER_STATE_UNSPECIFIED;
}

uint16_t clamp_size(uint32_t pixels) { return static_cast<uint16_t>(std::min<uint32_t>(pixels, 16384)); }

const char* profile_name(crypto::SrtpProfile profile) {
  switch (profile) {
    case crypto::SrtpProfile::AeadAes128Gcm: return "SRTP_AEAD_AES_128_GCM";
    case crypto::SrtpProfile::AeadAes256Gcm: return "SRTP_AEAD_AES_256_GCM";
    case crypto::SrtpProfile::Aes128CmHmacSha1_80: return "SRTP_AES128_CM_SHA1_80";
  }
  return "?";
}

void to_message(v1::MediaMessage& out, const PeerStateEvent& event) {
  v1::NodePeerState& state = *out.mutable_peer_state();
  state.set_peer(event.peer.value());
  state.set_state(state_to(event.state));
  state.set_reason(to_string(event.reason));
}

void to_message(v1::MediaMessage& out, const sfu::GroupSpeakers& event) {
  v1::GroupSpeakers& speakers = *out.mutable_group_speakers();
  speakers.set_group(event.group.value());
  speakers.set_active(event.active.value());
  for (size_t i = 0; i < event.count; ++i) speakers.add_sources(event.sources[i].value());
}

/// Goes out as health.
void to_message(v1::MediaMessage&, const LoadChanged&) {}

void to_message(v1::MediaMessage& out, const sfu::SourceFlow& event) {
  v1::SourceFlow& flow = *out.mutable_source_flow();
  flow.set_source(event.source.value());
  flow.set_flowing(event.flowing);
  flow.set_layers(event.layers);
}

void to_message(v1::MediaMessage& out, const sfu::SlotPaused& event) {
  v1::SlotPaused& slot = *out.mutable_slot_paused();
  slot.set_peer(event.peer.value());
  slot.set_use(event.use == sfu::SlotUse::Share ? v1::LINE_USE_SHARE_SLOT : v1::LINE_USE_VIDEO_SLOT);
  slot.set_index(event.index);
  slot.set_source(event.source.value());
}

void to_message(v1::MediaMessage& out, const sfu::LayerDemand& event) {
  v1::LayerDemand& demand = *out.mutable_layer_demand();
  demand.set_source(event.source.value());
  demand.set_peer(event.owner.value());
  demand.set_use(event.kind == sfu::SourceKind::Screen ? v1::LINE_USE_SCREEN : v1::LINE_USE_CAMERA);
  demand.set_layers(event.layers);
}

}  // namespace

std::optional<peer::LineUse> line_use_from(v1::LineUse use) {
  if (use < v1::LINE_USE_MICROPHONE || use > v1::LINE_USE_SHARE_SLOT) return std::nullopt;
  return static_cast<peer::LineUse>(use);  // same numbers, sdp/offer.h
}

std::optional<std::vector<peer::Line>> lines_from(const google::protobuf::RepeatedPtrField<v1::Line>& lines) {
  std::vector<peer::Line> out;
  for (const v1::Line& line : lines) {
    const auto use = line_use_from(line.use());
    if (!use) return std::nullopt;
    out.push_back({line.mid(), *use, line.index()});
  }
  return out;
}

sfu::GroupConfig group_from(const v1::SetGroup& group) {
  sfu::GroupConfig out;
  out.group = sfu::GroupId(group.group());
  for (const uint64_t peer : group.listeners()) out.listeners.emplace_back(peer);
  out.top_talkers = group.top_talkers();
  for (const uint32_t source : group.always_heard()) out.always_heard.emplace_back(source);
  return out;
}

std::optional<std::vector<sfu::SlotView>> view_from(const v1::SetPeerView& view) {
  std::vector<sfu::SlotView> out;
  for (const v1::PeerSlot& slot : view.slots()) {
    if (slot.use() != v1::LINE_USE_VIDEO_SLOT && slot.use() != v1::LINE_USE_SHARE_SLOT) return std::nullopt;
    sfu::SlotView v;
    v.use = slot.use() == v1::LINE_USE_SHARE_SLOT ? sfu::SlotUse::Share : sfu::SlotUse::Video;
    v.index = static_cast<uint16_t>(std::min<uint32_t>(slot.index(), UINT16_MAX));
    if (slot.show_case() == v1::PeerSlot::kSource && slot.source() != 0)
      v.show = sfu::SourceNumber(slot.source());
    else if (slot.show_case() == v1::PeerSlot::kSpeakerOfGroup)
      v.show = sfu::GroupId(slot.speaker_of_group());
    v.width = clamp_size(slot.width());
    v.height = clamp_size(slot.height());
    v.priority = static_cast<uint8_t>(std::min<uint32_t>(slot.priority(), 255));
    out.push_back(v);
  }
  return out;
}

v1::MediaMessage event_to(const Event& event) {
  v1::MediaMessage out;
  std::visit([&out](const auto& e) { to_message(out, e); }, event);
  return out;
}

void fill_snapshot(v1::SnapshotPeer& out, const peer::Peer::Snapshot& peer, uint32_t worker) {
  out.set_peer(peer.id.value());
  out.set_state(state_to(peer.state));
  out.set_worker(worker);
  if (peer.destination) out.set_remote_address(core::to_string(*peer.destination));
  if (peer.srtp_profile) out.set_srtp_profile(profile_name(*peer.srtp_profile));
  out.set_packets_in(peer.counters.packets_in);
  out.set_packets_out(peer.counters.packets_out);
  out.set_bytes_in(peer.counters.bytes_in);
  out.set_bytes_out(peer.counters.bytes_out);
}

void fill_log(v1::PeerLog& out, core::Instant now, uint32_t worker, const std::vector<PeerLogCopy>& logs) {
  int room = kMaxLogEntries;
  for (const v1::PeerLogRow& row : out.peers()) room -= row.entries_size();
  for (const PeerLogCopy& log : logs) {
    room -= static_cast<int>(log.entries.size());
    if (room < 0) return out.set_truncated(true);
    v1::PeerLogRow& row = *out.add_peers();
    row.set_peer(log.peer);
    row.set_worker(worker);
    row.set_dropped(log.dropped);
    for (const LogEntry& entry : log.entries) {
      v1::PeerLogEntry& e = *row.add_entries();
      e.set_age_milliseconds(static_cast<uint64_t>(std::max<int64_t>(0, (now - entry.at).to_millis())));
      e.set_what(name_of(entry.kind));
      e.set_detail(describe(entry));
      e.set_count(entry.count);
    }
  }
}

void add_figures(v1::NodeHealth& out, uint32_t worker, const WorkerFigures& f) {
  v1::WorkerLoad& load = *out.mutable_loads(static_cast<int>(worker));
  load.set_level(static_cast<uint32_t>(f.load.level));
  load.set_percent(static_cast<uint32_t>(f.load.share * 100 + 0.5));
  out.set_packets_in(out.packets_in() + f.socket_in.datagrams_in);
  out.set_packets_out(out.packets_out() + f.socket_out.datagrams);
  out.set_packets_dropped(out.packets_dropped() + f.socket_in.overflow_in + f.socket_out.blocked +
                          f.socket_out.refused + f.counters.slab_exhausted + f.counters.shed_pictures);
  out.set_peers(out.peers() + static_cast<uint32_t>(f.live.peers));
  const auto add = [&out](const char* name, uint64_t value) { (*out.mutable_counters())[name] += value; };
  add("unattributed", f.counters.unattributed);
  add("unbound_media", f.counters.unbound_media);
  add("malformed_rtcp", f.counters.malformed_rtcp);
  add("unvalidated", f.dropped_by_peers.unvalidated);
  add("unclassified", f.dropped_by_peers.unclassified);
  add("early_media", f.dropped_by_peers.early);
  add("malformed_rtp", f.dropped_by_peers.malformed);
  add("not_authentic", f.dropped_by_peers.not_authentic);
  add("slab_exhausted", f.counters.slab_exhausted);
  add("unsealed", f.counters.unsealed);
  add("shed_pictures", f.counters.shed_pictures);
  add("refused_full", f.counters.refused_full);
  add("requests_dropped", f.forwarder.requests_dropped);
  add("events_dropped", f.counters.dropped_events + f.forwarder.events_dropped + f.forwarder.shows_dropped);
  add("receive_overflow", f.socket_in.overflow_in);
  add("send_blocked", f.socket_out.blocked);
  add("send_refused", f.socket_out.refused);
  add("send_runs", f.socket_out.runs);
  add("send_calls", f.socket_out.calls);
  add("live_addresses", f.live.addresses);
  add("live_fragments", f.live.fragments);
  add("live_sources", f.live.media.sources);
  add("live_receivers", f.live.media.receivers);
  add("live_slots", f.live.media.slots);
  add("live_groups", f.live.media.groups);
  add("live_resting_layers", f.live.media.resting);
  add("live_history_packets", f.live.media.history);
  add("live_packet_buffers", f.live.packet_buffers);
  add("media_in", f.forwarder.packets_in);
  add("media_out", f.forwarder.packets_out);
  add("dropped_muted", f.forwarder.dropped_muted);
  add("dropped_malformed", f.forwarder.dropped_malformed);
  add("switches", f.forwarder.switches);
  add("key_frame_requests", f.forwarder.key_frame_requests);
  add("key_frame_asks", f.forwarder.key_frame_asks);
  add("nacks_in", f.forwarder.nacks_in);
  add("rtx_out", f.forwarder.rtx_out);
  add("upstream_nacks", f.forwarder.upstream_nacks);
}

}  // namespace huitang::worker
