// VP8 frames into RTP payloads and back (RFC 7741).
//
// The packetiser makes the packets of one frame differ by at most one byte, as libwebrtc's does: runs of
// equal packets can then leave in one segmented send. The assembler gives whole frames in decoding order,
// waits for repairs, and starts afresh at a key frame.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "codec/vp8.h"
#include "core/bytes.h"
#include "core/unwrap.h"

namespace huitang::media {

class Vp8Packetizer {
 public:
  /// `descriptor` gives the numbers; partition start is set by the packetiser. `frame` must outlive it.
  Vp8Packetizer(core::Bytes frame, const codec::Vp8Descriptor& descriptor, size_t max_payload);
  size_t remaining() const { return packets_ - made_; }
  /// The next payload's size in `out`; 0 when all are made or `out` is too small. The last one carries the
  /// marker.
  size_t next(core::MutableBytes out);

 private:
  core::Bytes rest_;
  codec::Vp8Descriptor descriptor_;
  size_t packets_ = 0;
  size_t made_ = 0;
};

struct Vp8Frame {
  core::Buffer data;
  uint32_t timestamp = 0;
  uint32_t csrc = 0;  ///< of its first packet, 0 without
  uint16_t first_number = 0;
  bool is_key_frame = false;
};

class Vp8Assembler {
 public:
  struct Packet {
    uint16_t sequence_number = 0;
    uint32_t timestamp = 0;
    uint32_t csrc = 0;
    bool marker = false;
    core::Bytes payload;  ///< empty for padding only, which merely fills its number
  };
  static constexpr size_t kWindow = 1024;  ///< packets waited with; beyond it the oldest frames are given up

  void handle_packet(const Packet& packet);
  /// The next frame that can be decoded.
  std::optional<Vp8Frame> poll_frame();
  /// Nothing can be decoded until a key frame comes.
  bool needs_key_frame() const { return !next_; }

  struct Snapshot {
    uint64_t frames = 0;
    uint64_t key_frames = 0;
    uint64_t broken = 0;  ///< payloads that did not parse
    uint64_t resets = 0;  ///< frames given up
  };
  Snapshot snapshot() const { return counters_; }

 private:
  struct Slot {
    int64_t number = -1;
    uint32_t timestamp = 0;
    uint32_t csrc = 0;
    bool marker = false;
    bool is_frame_start = false;
    bool is_key_start = false;
    bool is_filler = false;
    core::Buffer data;
  };
  Slot& slot(int64_t n) { return slots_[static_cast<uint64_t>(n) % kWindow]; }
  const Slot* find(int64_t n) {
    const Slot& s = slot(n);
    return s.number == n ? &s : nullptr;
  }
  /// One past the last packet of the whole frame that starts at `first`; nothing while some of it is missing.
  std::optional<int64_t> find_end(int64_t first);
  std::optional<int64_t> find_key_frame();
  Vp8Frame take_frame(int64_t first, int64_t end);

  core::Unwrapper<uint16_t> unwrapper_;
  std::array<Slot, kWindow> slots_;
  std::optional<int64_t> next_;  ///< where the next frame begins; absent until a key frame
  int64_t highest_ = -1;
  int64_t oldest_ = 0;  ///< nothing before it is kept
  Snapshot counters_;
};

}  // namespace huitang::media
