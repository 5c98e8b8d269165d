#include "worker/snapshot.h"

#include <unordered_map>

#include "worker/translate.h"

namespace huitang::worker {

namespace {

v1::LineUse use_to(sfu::SlotUse use) {
  switch (use) {
    case sfu::SlotUse::Audio: return v1::LINE_USE_AUDIO_SLOT;
    case sfu::SlotUse::Video: return v1::LINE_USE_VIDEO_SLOT;
    case sfu::SlotUse::Share: return v1::LINE_USE_SHARE_SLOT;
  }
  return v1::LINE_USE_UNSPECIFIED;
}

void fill_slot(v1::SnapshotSlot& out, const sfu::SlotSnapshot& slot) {
  out.set_use(use_to(slot.use));
  out.set_index(slot.index);
  out.set_wanted(slot.wanted.value());
  out.set_showing(slot.showing.value());
  out.set_layer(slot.layer);
  out.set_packets(slot.packets);
}

void fill_source(v1::SnapshotSource& out, uint32_t worker, const sfu::SourceSnapshot& source) {
  out.set_source(source.binding.number.value());
  out.set_worker(worker);
  for (uint32_t i = 0; i < source.layers.size(); ++i) {
    const sfu::SourceSnapshot::Layer& layer = source.layers[i];
    if (layer.packets == 0) continue;
    v1::SnapshotLayer& row = *out.add_layers();
    row.set_layer(i);
    row.set_flowing((source.flowing_layers >> i & 1) != 0);
    row.set_width(layer.width);
    row.set_height(layer.height);
    row.set_packets(layer.packets);
    row.set_bytes(layer.bytes);
    row.set_forwarded_to(layer.forwarded_to);
    row.set_waiting(layer.waiting);
    row.set_resting(!layer.demanded);
  }
}

}  // namespace

WorkerSnapshot take_snapshot(const WorkerThread& thread, const Worker& worker, bool detailed) {
  WorkerSnapshot part{worker.snapshot_peers(), std::nullopt};
  if (detailed)
    part.detail = {worker.snapshot_slots(), worker.forwarder().snapshot_sources(), thread.figures()};
  return part;
}

void add_snapshot(v1::Snapshot& out, uint32_t worker, const WorkerSnapshot& part) {
  std::unordered_map<uint64_t, v1::SnapshotPeer*> rows;
  for (const peer::Peer::Snapshot& peer : part.peers) {
    v1::SnapshotPeer& row = *out.add_peers();
    fill_snapshot(row, peer, worker);
    rows[row.peer()] = &row;
  }
  if (!part.detail) return;
  for (const PeerSlots& peer : part.detail->slots)
    if (const auto row = rows.find(peer.peer.value()); row != rows.end())
      for (const sfu::SlotSnapshot& slot : peer.slots) fill_slot(*row->second->add_slots(), slot);
  for (const sfu::SourceSnapshot& source : part.detail->sources)
    fill_source(*out.add_source_states(), worker, source);
  add_figures(*out.mutable_health(), worker, part.detail->figures);
}

}  // namespace huitang::worker
