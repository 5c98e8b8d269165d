// A worker's state out and in, for hand-over to another process.
#include <algorithm>

#include "worker/worker.h"

namespace huitang::worker {

namespace {

PeerEntryHandOver export_entry(const PeerEntry& entry, peer::PeerHandOver peer) {
  PeerEntryHandOver out;
  out.peer = std::move(peer);
  for (const InboundLine& line : entry.lines) {
    PeerEntryHandOver::Line& l = out.lines.emplace_back();
    if (line.source.is_valid()) l.source = line.source.number;
    for (size_t i = 0; i < line.layers.size(); ++i) {
      l.layers[i].ssrc = line.layers[i].ssrc;
      if (line.layers[i].statistics) l.layers[i].statistics = line.layers[i].statistics->export_state();
    }
  }
  out.local = entry.local;
  out.transport_number = entry.transport_number;
  out.round_trip = entry.round_trip;
  out.next_report = entry.next_report;
  return out;
}

}  // namespace

bool Worker::has_open_handshake(core::Instant now) const {
  return std::ranges::any_of(peers_,
                             [now](const auto& row) { return row.second->peer->has_open_handshake(now); });
}

WorkerHandOver Worker::export_state(core::Instant now) const {
  WorkerHandOver out;
  for (const auto& [id, entry] : peers_)
    if (auto peer = entry->peer->export_state()) out.peers.push_back(export_entry(*entry, std::move(*peer)));
  out.forwarder = forwarder_.export_state(now);
  out.counters = counters_;
  return out;
}

core::Result<void, std::string> Worker::restore(core::Instant now, WorkerHandOver state) {
  if (!peers_.empty()) return core::err(std::string("this worker has peers of its own"));
  if (state.peers.size() > config_.max_peers) return core::err(std::string("more peers than it may have"));
  if (!forwarder_.restore(now, state.forwarder))
    return core::err(std::string("the forwarder's state contradicts itself"));
  for (PeerEntryHandOver& entry : state.peers)
    if (!restore_peer(now, entry))
      return core::err("the state of peer " + std::to_string(entry.peer.id.value()) + " contradicts itself");
  drop_orphans(now, state.forwarder);
  counters_ = state.counters;
  if (!is_consistent()) return core::err(std::string("the worker's tables contradict each other"));
  return {};
}

bool Worker::restore_peer(core::Instant now, PeerEntryHandOver& state) {
  const peer::PeerId id = state.peer.id;
  auto owned = std::make_unique<PeerEntry>();
  PeerEntry& entry = *owned;
  entry.peer =
      std::make_unique<peer::Peer>(now, id, peer::PeerConfig{.addresses = config_.addresses}, services_);
  const std::vector<ice::LiteGeneration> generations = state.peer.ice.generations;
  const std::vector<ice::LiteAddress> addresses = state.peer.ice.addresses;
  if (!entry.peer->restore(now, std::move(state.peer))) return false;
  if (!peers_.emplace(id, std::move(owned)).second) return false;

  entry.receiver = forwarder_.find_receiver(sfu::PeerId(id.value()));
  if (!entry.receiver) return false;
  const size_t index = entry.receiver->value();
  if (by_receiver_.size() <= index) by_receiver_.resize(index + 1, nullptr);
  by_receiver_[index] = &entry;
  for (const ice::LiteGeneration& generation : generations) {
    if (!by_fragment_.emplace(generation.local.ufrag, &entry).second) return false;
    entry.fragments.push_back(generation.local.ufrag);
  }
  for (const ice::LiteAddress& address : addresses) {
    by_address_[address.address] = &entry;
    entry.addresses.push_back(address.address);
  }

  if (state.lines.size() != entry.peer->sources().size()) return false;
  for (const PeerEntryHandOver::Line& from : state.lines) {
    InboundLine& line = entry.lines.emplace_back();
    for (size_t i = 0; i < line.layers.size(); ++i) {
      line.layers[i].ssrc = from.layers[i].ssrc;
      if (from.layers[i].statistics) line.layers[i].statistics.emplace(*from.layers[i].statistics);
    }
    if (from.source.value() == 0) continue;
    line.source = forwarder_.find_source(from.source);
    if (!line.source.is_valid() || !owners_.emplace(from.source, &entry).second) return false;
  }
  entry.extension_ids = entry.peer->extension_ids();
  entry.local = state.local;
  entry.transport_number = state.transport_number;
  entry.round_trip = state.round_trip;
  entry.next_report = state.next_report;
  entry.deadline = entry.peer->deadline();
  return true;
}

/// What the forwarder knows of peers that were not taken along: nobody would ever close it.
void Worker::drop_orphans(core::Instant now, const sfu::ForwarderState& state) {
  for (const sfu::SourceState& source : state.sources)
    if (find_owner(source.binding.number) == nullptr) forwarder_.unbind_source(now, source.binding.number);
  for (const sfu::ReceiverState& receiver : state.receivers)
    if (find_peer(peer::PeerId(receiver.peer.value())) == nullptr)
      forwarder_.remove_receiver(now, receiver.index);
}

}  // namespace huitang::worker
