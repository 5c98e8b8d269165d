// Sent packets kept for retransmission: the payload once per source layer, whoever got it.
//
// One ring over the worker's layers in order of arrival bounds number, bytes (one slab buffer each) and age
// at once; an index per layer finds a number in one step. What a receiver saw as number n is found by the run
// it belonged to (Slot), so nothing is stored per receiver.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/time.h"
#include "sfu/types.h"

namespace huitang::sfu {

/// All of a packet that is needed to form it again for any receiver.
struct StoredPacket {
  int64_t sequence = 0;  ///< the source's, extended
  core::Instant at;
  PayloadRef payload;
  uint32_t timestamp = 0;
  uint32_t owner = 0;       ///< which LayerIndex holds it
  uint16_t picture_id = 0;  ///< 15 bits, as extended by the layer
  PayloadFormat format = PayloadFormat::Vp8;
  bool marker = false;
};

class PacketHistory {
 public:
  /// Where the packets of one layer are.
  class LayerIndex {
   public:
    static constexpr size_t kSize = 1024;

   private:
    friend class PacketHistory;
    uint32_t id_ = 0;
    std::array<uint32_t, kSize> at_{};
  };

  /// `capacity` is rounded up to a power of two.
  PacketHistory(PacketSlab& slab, uint32_t capacity, core::Duration max_age);
  ~PacketHistory();
  PacketHistory(const PacketHistory&) = delete;
  PacketHistory& operator=(const PacketHistory&) = delete;

  std::unique_ptr<LayerIndex> make_index();
  /// Retains the payload's buffer; the oldest packet of all makes room.
  void store(LayerIndex& index, StoredPacket packet);
  /// Null when never stored, overwritten or older than the age at `now`.
  const StoredPacket* find(const LayerIndex& index, int64_t sequence, core::Instant now) const;
  /// Forgets what is too old, so that a source that fell silent holds no memory.
  void expire(core::Instant now);

  size_t size() const { return static_cast<size_t>(next_ - first_); }
  bool is_consistent() const;

 private:
  StoredPacket& slot(uint64_t position) { return ring_[position & (ring_.size() - 1)]; }
  const StoredPacket& slot(uint64_t position) const { return ring_[position & (ring_.size() - 1)]; }
  void drop_first();

  PacketSlab& slab_;
  core::Duration max_age_;
  std::vector<StoredPacket> ring_;
  uint64_t first_ = 0;  ///< position of the oldest
  uint64_t next_ = 0;   ///< position of the next to come
  uint32_t next_id_ = 1;
};

}  // namespace huitang::sfu
