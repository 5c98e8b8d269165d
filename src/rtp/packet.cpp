#include "rtp/packet.h"

#include <algorithm>
#include <cstring>

namespace huitang::rtp {

using core::err;
using core::ParseError;

namespace {

core::Result<PacketView, ParseError> parse(core::Bytes bytes, bool clear) {
  if (bytes.size() < kFixedHeaderSize) return err(ParseError::Truncated);
  if (bytes.size() > 0xffff) return err(ParseError::TooLarge);
  if (bytes[0] >> 6 != 2) return err(ParseError::Unsupported);
  PacketView p;
  p.bytes = bytes;
  p.header = {.payload_type = static_cast<uint8_t>(bytes[1] & 0x7f),
              .marker = (bytes[1] & 0x80) != 0,
              .sequence_number = core::load_u16(bytes.data() + 2),
              .timestamp = core::load_u32(bytes.data() + 4),
              .ssrc = core::load_u32(bytes.data() + 8)};
  p.csrc_count = bytes[0] & 0x0f;
  size_t at = kFixedHeaderSize + 4U * p.csrc_count;
  if (at > bytes.size()) return err(ParseError::Truncated);
  if (bytes[0] & 0x10) {
    if (at + 4 > bytes.size()) return err(ParseError::Truncated);
    p.extension_profile = core::load_u16(bytes.data() + at);
    p.extension_size =
        static_cast<uint16_t>(std::min<size_t>(4U * core::load_u16(bytes.data() + at + 2), 0xfffc));
    at += 4;
    p.extension_offset = static_cast<uint16_t>(std::min<size_t>(at, 0xffff));
    if (p.extension_size > bytes.size() - at) return err(ParseError::Truncated);
    at += p.extension_size;
  }
  p.header_size = static_cast<uint16_t>(at);
  size_t payload = bytes.size() - at;
  if (clear && (bytes[0] & 0x20)) {
    if (payload == 0) return err(ParseError::Malformed);
    p.padding_size = bytes.back();
    if (p.padding_size == 0 || p.padding_size > payload) return err(ParseError::Malformed);
    payload -= p.padding_size;
  }
  p.payload_size = static_cast<uint16_t>(payload);
  return p;
}

constexpr uint8_t kStopId = 15;  // RFC 8285 section 4.2: reserved, ends the processing

}  // namespace

core::Result<PacketView, ParseError> parse_packet(core::Bytes bytes) { return parse(bytes, true); }
core::Result<PacketView, ParseError> parse_protected_packet(core::Bytes bytes) { return parse(bytes, false); }

std::optional<ExtensionElement> ExtensionReader::next() {
  const bool one_byte = packet_.extension_profile == kOneByteProfile;
  if (!one_byte && !packet_.has_two_byte_extensions()) return std::nullopt;
  const uint8_t* b = packet_.bytes.data();
  while (at_ < end_) {
    if (b[at_] == 0) {  // padding byte in both forms
      ++at_;
      continue;
    }
    ExtensionElement e;
    if (one_byte) {
      e.id = b[at_] >> 4;
      e.size = static_cast<uint8_t>((b[at_] & 0x0f) + 1);
      at_ += 1;
      if (e.id == kStopId) break;
      if (e.id == 0) continue;  // id 0 with a length: skipped like padding, one byte (RFC 8285 section 4.2)
    } else {
      if (at_ + 2 > end_) break;
      e.id = b[at_];
      e.size = b[at_ + 1];
      at_ += 2;
    }
    if (at_ + e.size > end_) break;
    e.offset = static_cast<uint16_t>(at_);
    at_ += e.size;
    return e;
  }
  at_ = end_;
  return std::nullopt;
}

std::optional<ExtensionElement> find_extension(const PacketView& packet, uint8_t id) {
  if (id == 0) return std::nullopt;
  ExtensionReader reader(packet);
  while (auto e = reader.next()) {
    if (e->id == id) return e;
  }
  return std::nullopt;
}

std::optional<core::Bytes> read_extension(const PacketView& packet, uint8_t id) {
  const auto e = find_extension(packet, id);
  if (!e) return std::nullopt;
  return packet.bytes.subspan(e->offset, e->size);
}

HeaderWriter::HeaderWriter(core::MutableBytes out, const PacketHeader& header,
                           std::span<const uint32_t> csrcs, ExtensionForm form)
    : out_(out), w_(out), form_(form), impossible_(csrcs.size() > kMaxCsrcs) {
  w_.u8(static_cast<uint8_t>(0x80 | (csrcs.size() & 0x0f)));
  w_.u8(static_cast<uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f)));
  w_.u16(header.sequence_number);
  w_.u32(header.timestamp);
  w_.u32(header.ssrc);
  if (impossible_) return;
  for (const uint32_t c : csrcs) w_.u32(c);
}

size_t HeaderWriter::reserve_extension(uint8_t id, uint8_t size) {
  if (id == 0) return 0;
  if (form_ == ExtensionForm::OneByte && (id >= kStopId || size == 0 || size > 16)) {
    impossible_ = true;
    return 0;
  }
  if (extension_at_ == 0) {
    extension_at_ = w_.size();
    w_.u16(form_ == ExtensionForm::OneByte ? kOneByteProfile : kTwoByteProfile);
    w_.u16(0);
  }
  if (form_ == ExtensionForm::OneByte) {
    w_.u8(static_cast<uint8_t>(id << 4 | (size - 1)));
  } else {
    w_.u8(id);
    w_.u8(size);
  }
  const size_t at = w_.size();
  w_.zeros(size);
  return w_.failed() ? 0 : at;
}

void HeaderWriter::add_extension(uint8_t id, core::Bytes value) {
  if (id == 0) return;
  if (value.size() > 255) {
    impossible_ = true;
    return;
  }
  const size_t at = reserve_extension(id, static_cast<uint8_t>(value.size()));
  if (at != 0 && !value.empty()) std::memcpy(out_.data() + at, value.data(), value.size());
}

size_t HeaderWriter::finish() {
  if (extension_at_ != 0) w_.zeros((4 - w_.size() % 4) % 4);
  if (w_.failed() || impossible_) return 0;
  if (extension_at_ != 0) {
    out_[0] |= 0x10;
    core::store_u16(out_.data() + extension_at_ + 2,
                    static_cast<uint16_t>((w_.size() - extension_at_ - 4) / 4));
  }
  return w_.size();
}

bool add_padding(core::MutableBytes packet, size_t size, uint8_t padding) {
  if (padding == 0 || size < kFixedHeaderSize || size + padding > packet.size() || (packet[0] & 0x20))
    return false;
  std::memset(packet.data() + size, 0, padding);
  packet[size + padding - 1] = padding;
  packet[0] |= 0x20;
  return true;
}

}  // namespace huitang::rtp
