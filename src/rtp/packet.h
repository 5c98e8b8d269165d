// RTP packets as views and as bytes (RFC 3550 section 5.1, header extensions RFC 8285).
//
// A PacketView points into the caller's memory and holds offsets only; parsing allocates nothing. Whoever
// opens SRTP feeds it. Left out: any interpretation of payloads (`codec`) and any state across packets.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
// |                           timestamp                           |
// |                             SSRC                              |
// |                       CSRC list (0..15)                       |
// |  profile 0xBEDE or 0x100x     |  length in 32-bit words       |  when X
// |                      extension elements …                     |
// |  payload …                            | padding | pad length  |
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::rtp {

inline constexpr size_t kFixedHeaderSize = 12;
inline constexpr size_t kMaxCsrcs = 15;
inline constexpr uint16_t kOneByteProfile = 0xbede;
inline constexpr uint16_t kTwoByteProfile = 0x1000;  ///< the low four bits are "appbits" and are ignored

/// The fields of the fixed header that a sender chooses.
struct PacketHeader {
  uint8_t payload_type = 0;  ///< 7 bits
  bool marker = false;
  uint16_t sequence_number = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

/// A checked packet: every accessor stays inside `bytes`.
struct PacketView {
  core::Bytes bytes;
  PacketHeader header;
  uint8_t csrc_count = 0;
  uint16_t extension_profile = 0;  ///< 0 without extension block
  uint16_t extension_offset = 0;   ///< of the first element
  uint16_t extension_size = 0;     ///< bytes of elements, including their padding
  uint16_t header_size = 0;        ///< the payload begins here
  uint16_t payload_size = 0;       ///< without padding
  uint8_t padding_size = 0;

  core::Bytes payload() const { return bytes.subspan(header_size, payload_size); }
  core::Bytes extensions() const { return bytes.subspan(extension_offset, extension_size); }
  /// i < csrc_count.
  uint32_t csrc(size_t i) const { return core::load_u32(bytes.data() + kFixedHeaderSize + 4 * i); }
  bool has_two_byte_extensions() const { return (extension_profile & 0xfff0) == kTwoByteProfile; }
};

/// A clear packet. Extension elements themselves are checked when they are looked up.
core::Result<PacketView, core::ParseError> parse_packet(core::Bytes bytes);

/// A packet whose payload is still encrypted (and followed by an authentication tag): padding is not looked
/// at, the payload reaches to the end.
core::Result<PacketView, core::ParseError> parse_protected_packet(core::Bytes bytes);

/// One element of an extension block; `offset` counts from the start of the packet, for rewriting in place.
struct ExtensionElement {
  uint8_t id = 0;
  uint16_t offset = 0;
  uint8_t size = 0;
};

/// Walks the elements of a packet's extension block in order. Stops at the first malformed element, and at
/// the reserved one-byte id 15 (RFC 8285 section 4.2).
class ExtensionReader {
 public:
  explicit ExtensionReader(const PacketView& packet)
      : packet_(packet),
        at_(packet.extension_offset),
        end_(packet.extension_offset + packet.extension_size) {}
  std::optional<ExtensionElement> next();

 private:
  const PacketView& packet_;
  size_t at_;
  size_t end_;
};

/// The first element with this id; `id` 0 (not negotiated) is never found.
std::optional<ExtensionElement> find_extension(const PacketView& packet, uint8_t id);
/// Its value; an empty present value only in the two-byte form.
std::optional<core::Bytes> read_extension(const PacketView& packet, uint8_t id);

/// RFC 8285: the one-byte form carries ids 1..14 with 1..16 bytes, the two-byte form ids 1..255 with 0..255
/// bytes.
enum class ExtensionForm : uint8_t { OneByte, TwoByte };

/// Writes a header, then elements, then hands over the rest of the memory for the payload.
///
///   HeaderWriter w(out, header, csrcs, form);
///   w.add_extension(ids.mid, as_bytes("0"));
///   const size_t header_size = w.finish();     // 0 when `out` was too small or an element impossible
///
/// Without elements no extension block is written. `out` must not overlap what is added.
class HeaderWriter {
 public:
  HeaderWriter(core::MutableBytes out, const PacketHeader& header, std::span<const uint32_t> csrcs = {},
               ExtensionForm form = ExtensionForm::OneByte);
  /// `id` 0 adds nothing and is no error, so that callers need not ask what was negotiated.
  void add_extension(uint8_t id, core::Bytes value);
  /// Room for a value that is filled in later (transport-wide number, send time): its offset in the packet,
  /// or 0.
  size_t reserve_extension(uint8_t id, uint8_t size);
  size_t finish();

 private:
  core::MutableBytes out_;
  core::ByteWriter w_;
  ExtensionForm form_;
  size_t extension_at_ = 0;  ///< offset of the profile field, 0 before the first element
  bool impossible_ = false;
};

/// Rewrites in place; `packet` holds at least the fixed header.
inline void set_payload_type(core::MutableBytes packet, uint8_t pt) {
  packet[1] = static_cast<uint8_t>((packet[1] & 0x80) | (pt & 0x7f));
}
inline void set_marker(core::MutableBytes packet, bool marker) {
  packet[1] = static_cast<uint8_t>((packet[1] & 0x7f) | (marker ? 0x80 : 0));
}
inline void set_sequence_number(core::MutableBytes packet, uint16_t v) {
  core::store_u16(packet.data() + 2, v);
}
inline void set_timestamp(core::MutableBytes packet, uint32_t v) { core::store_u32(packet.data() + 4, v); }
inline void set_ssrc(core::MutableBytes packet, uint32_t v) { core::store_u32(packet.data() + 8, v); }

/// Appends `padding` bytes (1..255) after the first `size` bytes of `packet` and sets the P bit. False
/// (nothing changed) when they do not fit or the packet has padding already.
bool add_padding(core::MutableBytes packet, size_t size, uint8_t padding);

}  // namespace huitang::rtp
