#include "sfu/packet_slab.h"

namespace huitang::sfu {

PacketSlab::PacketSlab(Config config)
    : config_(config),
      memory_(new uint8_t[static_cast<size_t>(config.buffers) * config.buffer_size]),
      counts_(config.buffers, 0) {
  free_.reserve(config.buffers);
  dying_.reserve(config.buffers);
  for (uint32_t i = config.buffers; i > 0; --i) free_.push_back(i - 1);
}

uint32_t PacketSlab::acquire() {
  if (free_.empty()) {
    ++exhausted_;
    return PayloadRef::kNone;
  }
  const uint32_t i = free_.back();
  free_.pop_back();
  counts_[i] = 1;
  return i;
}

void PacketSlab::reclaim() {
  free_.insert(free_.end(), dying_.begin(), dying_.end());
  dying_.clear();
}

bool PacketSlab::is_consistent() const {
  uint32_t zero = 0;
  for (const uint32_t c : counts_) zero += c == 0;
  return zero == free_.size() + dying_.size();
}

}  // namespace huitang::sfu
