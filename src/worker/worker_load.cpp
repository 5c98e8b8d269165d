// The worker under load, and its log: what a level of the governor means here, and what is kept for the
// administrator.
#include <cmath>

#include "worker/worker.h"

namespace huitang::worker {
namespace {

sfu::VideoService video_service_at(LoadLevel level) {
  switch (level) {
    case LoadLevel::Normal:
    case LoadLevel::NoNewPeers: return sfu::VideoService::Full;
    case LoadLevel::LowLayers: return sfu::VideoService::LowLayers;
    case LoadLevel::SoundOnly: return sfu::VideoService::Paused;
  }
  return sfu::VideoService::Full;
}

}  // namespace

void Worker::handle_load(core::Instant now, const LoadTotals& totals) {
  LoadTotals all = totals;
  all.lost += counters_.slab_exhausted + counters_.shed_pictures;
  if (!governor_.handle_totals(now, all)) return;
  const LoadLevel level = governor_.level();
  forwarder_.set_video_service(now, video_service_at(level));
  const LogEntry entry{.number = static_cast<uint32_t>(std::lround(governor_.share() * 100)),
                       .kind = LogKind::Load,
                       .a = static_cast<uint8_t>(level)};
  log_.add(now, entry);
  push(LoadChanged{level, governor_.share()});
}

void DroppedByPeers::add(const peer::Peer::Counters& c) {
  unvalidated += c.unvalidated;
  unclassified += c.unclassified;
  early += c.early;
  malformed += c.malformed;
  not_authentic += c.not_authentic;
}

DroppedByPeers Worker::dropped_by_peers() const {
  DroppedByPeers sum = gone_;
  for (const auto& [id, entry] : peers_) sum.add(entry->peer->counters());
  return sum;
}

void Worker::log_shows(core::Instant now) {
  while (const auto shows = forwarder_.poll_shows()) {
    PeerEntry* entry = by_receiver_[shows->receiver.value()];
    if (entry == nullptr) continue;
    entry->log.add(now, {.number = shows->source.value(),
                         .index = shows->index,
                         .kind = LogKind::SlotShows,
                         .a = static_cast<uint8_t>(shows->use),
                         .b = shows->layer});
  }
}

std::vector<PeerLogCopy> Worker::copy_logs(peer::PeerId id) const {
  std::vector<PeerLogCopy> out;
  if (id != peer::PeerId()) {
    if (const auto it = peers_.find(id); it != peers_.end())
      out.push_back(copy_of(id.value(), it->second->log));
    return out;
  }
  out.reserve(peers_.size() + 1);
  out.push_back(copy_of(0, log_));
  for (const auto& [peer, entry] : peers_) out.push_back(copy_of(peer.value(), entry->log));
  return out;
}

}  // namespace huitang::worker
