// Turns one packet of a source into the copies of its receivers: the same bytes under each stream's own
// numbers.
//
// What is equal in all copies is laid down once; a copy is one cache line, written once.
#pragma once

#include <span>

#include "codec/vp8.h"
#include "sfu/tables.h"

namespace huitang::sfu {

/// A video packet ready to be copied for any run of its layer.
class VideoForm {
 public:
  VideoForm(core::Bytes payload, PayloadRef ref, const PacketFacts& facts, SourceNumber source);

  void append(const Subscription& to, std::vector<ForwardedPacket>& out) const {
    out.push_back(common_);
    address(to, out.back());
  }
  /// For a run that may have ended: the retransmission of it on the slot's RTX stream.
  bool append_rtx(const Slot& slot, const Shifts& shifts, int64_t rtx_sequence,
                  std::vector<ForwardedPacket>& out) const;

 private:
  void address(const Subscription& to, ForwardedPacket& p) const {
    p.receiver = to.receiver;
    p.slot = to.slot;
    p.ssrc = to.ssrc;
    p.payload_type = to.payload_types[format_];
    apply(to.shifts, 0, p);
  }
  void apply(const Shifts& shifts, size_t descriptor_at, ForwardedPacket& p) const {
    p.sequence += shifts.sequence;
    p.timestamp += shifts.timestamp;
    if (picture_at_ != 0) {
      const auto id = static_cast<uint16_t>(0x8000 | ((picture_id_ + shifts.picture_id) & 0x7fff));
      core::store_u16(p.prefix.data() + descriptor_at + picture_at_, id);
    }
    if (tl0_at_ != 0) p.prefix[descriptor_at + tl0_at_] = static_cast<uint8_t>(tl0_ + shifts.tl0);
  }
  void lay_down_vp8(core::Bytes payload, PayloadRef ref, const PacketFacts& facts);

  ForwardedPacket common_;
  uint16_t picture_id_ = 0;
  uint8_t tl0_ = 0;
  uint8_t picture_at_ = 0;  ///< in the descriptor; 0 = has none
  uint8_t tl0_at_ = 0;
  uint8_t format_ = 0;
};

/// An audio packet as plain Opus and, when there is one, as RED.
class AudioForm {
 public:
  AudioForm(const PacketFacts& facts, SourceNumber source, std::optional<rtp::AudioLevel> level);
  void set_plain(PayloadRef body);
  /// `older`: the timestamp offsets and lengths of the blocks before the newest; `body` holds all blocks'
  /// data.
  struct Block {
    uint16_t offset = 0;
    uint16_t size = 0;
  };
  static constexpr size_t kMaxOlder = (kMaxPrefix - 1) / 4;
  void set_red(PayloadRef body, std::span<const Block> older);

  void append(const Subscription& to, std::vector<ForwardedPacket>& out) const;
  bool has_red() const { return has_red_; }

 private:
  ForwardedPacket plain_;
  ForwardedPacket red_;
  int64_t sequence_;
  bool has_red_ = false;
};

}  // namespace huitang::sfu
