// VP8 in RTP: the payload descriptor (RFC 7741 section 4.2), the first bytes of a key frame (RFC 6386
// section 9.1), and the numbers that must stay continuous when a receiver's stream changes its source.
//
//  0 1 2 3 4 5 6 7
// |X|R|N|S|R| PID |  N: not a reference; S: start of partition PID
// |I|L|T|K| RSV   |  when X
// |M| PictureID   |  when I; 15 bits when M
// | TL0PICIDX     |  when L
// |TID|Y| KEYIDX  |  when T or K
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "core/unwrap.h"

namespace huitang::codec {

struct Vp8Descriptor {
  bool is_non_reference = false;
  bool is_partition_start = false;
  uint8_t partition = 0;
  std::optional<uint16_t> picture_id;
  bool has_long_picture_id = false;  ///< 15 bits
  std::optional<uint8_t> tl0_picture_index;
  std::optional<uint8_t> temporal_layer;  ///< 0..3
  bool is_layer_sync = false;             ///< Y: depends on the base layer only
  std::optional<uint8_t> key_index;
  uint8_t size = 0;               ///< bytes before the VP8 payload
  uint8_t picture_id_offset = 0;  ///< valid with picture_id
  uint8_t tl0_offset = 0;         ///< valid with tl0_picture_index

  bool is_frame_start() const { return is_partition_start && partition == 0; }
};

struct Vp8Packet {
  Vp8Descriptor descriptor;
  bool is_key_frame = false;  ///< known only in the packet that starts the frame
  uint16_t width = 0;         ///< with is_key_frame
  uint16_t height = 0;
};

core::Result<Vp8Packet, core::ParseError> parse_vp8(core::Bytes payload);

/// Descriptor bytes for a sender: always 15-bit picture id; TL0PICIDX and TID when given. 0 when `out` is too
/// small.
size_t write_vp8_descriptor(core::MutableBytes out, const Vp8Descriptor& d);

/// Overwrites numbers in place; those that the descriptor lacks are not added. A 7-bit picture id keeps 7
/// bits.
void rewrite_vp8(core::MutableBytes payload, const Vp8Descriptor& d, uint16_t picture_id,
                 uint8_t tl0_picture_index);

/// Keeps PictureID and TL0PICIDX of one outgoing stream continuous over switches and dropped pictures.
///
/// For each packet in arrival order, either map() (forwarded) or drop() (its picture is not forwarded, all
/// its packets alike). begin_source() before the first packet (a key frame) of a new source or layer.
class Vp8Rewriter {
 public:
  struct Numbers {
    uint16_t picture_id = 0;
    uint8_t tl0_picture_index = 0;
  };
  void begin_source();
  /// Nothing for a packet of a picture that was dropped, or from before the switch, or too old to be known.
  std::optional<Numbers> map(const Vp8Descriptor& d);
  void drop(const Vp8Descriptor& d);

  static constexpr size_t kRemembered = 64;  ///< pictures back that late packets may belong to

 private:
  struct Entry {
    int64_t source = -1;
    int64_t shift = 0;
    bool dropped = false;
  };
  Entry& entry(int64_t source) { return entries_[static_cast<uint64_t>(source) % kRemembered]; }
  int64_t unwrap(const Vp8Descriptor& d);
  void start_at(const Vp8Descriptor& d, int64_t source);
  void advance_to(int64_t source);

  bool starting_ = true;
  bool has_sent_ = false;
  core::Unwrapper<uint16_t> unwrapper_;
  std::array<Entry, kRemembered> entries_;  ///< of the source's last pictures
  int64_t first_ = 0;                       ///< picture of the source that the switch began with
  int64_t highest_ = 0;
  int64_t shift_ = 0;  ///< out = source + shift, for new pictures
  int64_t last_out_ = 0;
  uint8_t tl0_shift_ = 0;
  uint8_t last_tl0_out_ = 0;
};

}  // namespace huitang::codec
