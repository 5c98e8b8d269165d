// Fixed-size packet buffers of one worker, counted without atomics.
//
// The worker receives into a buffer, opens SRTP in place and hands a PayloadRef to the Forwarder, which
// retains what its histories need. A buffer whose last holder lets go is not reused before reclaim():
// everything that a batch refers to stays valid until the worker has sealed the batch and says so. That
// spares a count per forwarded copy.
//
// Life of a buffer:  acquire (count 1) → retain/release … → release to 0 (dying) → reclaim (free)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.h"
#include "core/check.h"

namespace huitang::sfu {

/// Bytes inside one buffer of the slab. A plain value: holding one does not hold the buffer.
struct PayloadRef {
  static constexpr uint32_t kNone = 0xffffffff;
  uint32_t buffer = kNone;
  uint16_t offset = 0;
  uint16_t size = 0;

  bool has_buffer() const { return buffer != kNone; }
  PayloadRef without_prefix(size_t n) const {
    return {buffer, static_cast<uint16_t>(offset + n), static_cast<uint16_t>(size - n)};
  }
  friend bool operator==(const PayloadRef&, const PayloadRef&) = default;
};

class PacketSlab {
 public:
  struct Config {
    uint32_t buffers = 16384;
    uint16_t buffer_size = 1536;
  };
  explicit PacketSlab(Config config);
  PacketSlab(const PacketSlab&) = delete;
  PacketSlab& operator=(const PacketSlab&) = delete;

  /// A buffer with count 1, or kNone (counted) when all are in use.
  uint32_t acquire();
  void retain(uint32_t buffer) {
    HUITANG_DCHECK(counts_[buffer] > 0);
    ++counts_[buffer];
  }
  void release(uint32_t buffer) {
    HUITANG_DCHECK(counts_[buffer] > 0);
    if (--counts_[buffer] == 0) dying_.push_back(buffer);
  }
  /// Makes released buffers usable again. Call when no batch refers to them any more.
  void reclaim();

  core::MutableBytes buffer(uint32_t i) {
    return {memory_.get() + static_cast<size_t>(i) * config_.buffer_size, config_.buffer_size};
  }
  core::Bytes bytes(PayloadRef p) const {
    return {memory_.get() + static_cast<size_t>(p.buffer) * config_.buffer_size + p.offset, p.size};
  }

  uint16_t buffer_size() const { return config_.buffer_size; }
  uint32_t capacity() const { return config_.buffers; }
  uint32_t free_count() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t in_use() const { return config_.buffers - static_cast<uint32_t>(free_.size() + dying_.size()); }
  uint64_t exhausted() const { return exhausted_; }
  bool is_consistent() const;

 private:
  Config config_;
  std::unique_ptr<uint8_t[]> memory_;  ///< untouched pages cost nothing until first used
  std::vector<uint32_t> counts_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> dying_;
  uint64_t exhausted_ = 0;
};

}  // namespace huitang::sfu
