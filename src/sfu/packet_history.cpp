#include "sfu/packet_history.h"

#include <bit>

namespace huitang::sfu {

PacketHistory::PacketHistory(PacketSlab& slab, uint32_t capacity, core::Duration max_age)
    : slab_(slab), max_age_(max_age), ring_(std::bit_ceil(capacity < 2 ? 2u : capacity)) {}

PacketHistory::~PacketHistory() {
  while (first_ != next_) drop_first();
}

std::unique_ptr<PacketHistory::LayerIndex> PacketHistory::make_index() {
  auto index = std::make_unique<LayerIndex>();
  index->id_ = next_id_++;
  return index;
}

void PacketHistory::store(LayerIndex& index, StoredPacket packet) {
  if (next_ - first_ == ring_.size()) drop_first();
  slab_.retain(packet.payload.buffer);
  packet.owner = index.id_;
  index.at_[static_cast<uint64_t>(packet.sequence) % LayerIndex::kSize] = static_cast<uint32_t>(next_);
  slot(next_++) = packet;
}

const StoredPacket* PacketHistory::find(const LayerIndex& index, int64_t sequence, core::Instant now) const {
  const uint32_t low = index.at_[static_cast<uint64_t>(sequence) % LayerIndex::kSize];
  // The index keeps 32 bits of the position; everything alive lies within the ring's size below next_.
  const uint64_t position = next_ - static_cast<uint32_t>(static_cast<uint32_t>(next_) - low);
  if (position < first_ || position >= next_) return nullptr;
  const StoredPacket& p = slot(position);
  if (p.owner != index.id_ || p.sequence != sequence || now - p.at > max_age_) return nullptr;
  return &p;
}

void PacketHistory::expire(core::Instant now) {
  while (first_ != next_ && now - slot(first_).at > max_age_) drop_first();
}

void PacketHistory::drop_first() { slab_.release(slot(first_++).payload.buffer); }

bool PacketHistory::is_consistent() const { return next_ - first_ <= ring_.size(); }

}  // namespace huitang::sfu
