#include "stun/message.h"

#include <algorithm>

#include "crypto/hash.h"

namespace huitang::stun {
namespace {

// Header (RFC 8489 section 5). The two class bits C1 C0 stand inside the method's bits:
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |0 0| M11..M7 |C1| M6..M4 |C0| M3..M0 |     Message length      |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                  Magic cookie 0x2112A442                      |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                  Transaction id (96 bits)                     |
//
// Attributes follow: type (16 bits), length of the value without padding (16 bits), value, padding to 4
// bytes.

constexpr size_t kIntegritySize = 20;
constexpr size_t kIntegritySha256Size = 32;
constexpr size_t kFingerprintSize = 4;
constexpr size_t kAttributeHead = 4;
constexpr uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 section 14.7
constexpr uint16_t kComprehensionOptional = 0x8000;
constexpr uint8_t kFamilyV4 = 1;
constexpr uint8_t kFamilyV6 = 2;

constexpr size_t padded(size_t size) { return (size + 3) & ~size_t{3}; }

constexpr uint16_t to_type(MessageClass c, uint16_t method) {
  const auto bits = static_cast<uint16_t>(c);
  return static_cast<uint16_t>((method & 0x0f80) << 2 | (bits & 2) << 7 | (method & 0x0070) << 1 |
                               (bits & 1) << 4 | (method & 0x000f));
}
constexpr MessageClass class_of(uint16_t type) {
  return static_cast<MessageClass>((type >> 7 & 2) | (type >> 4 & 1));
}
constexpr uint16_t method_of(uint16_t type) {
  return static_cast<uint16_t>((type >> 2 & 0x0f80) | (type >> 1 & 0x0070) | (type & 0x000f));
}

uint32_t fingerprint_of(core::Bytes before) { return crypto::crc32(before) ^ kFingerprintXor; }

// What the integrity is computed over: the message up to its attribute, with the header's length counting the
// attribute as the last one (RFC 8489 section 14.5).
std::array<uint8_t, kAttributeHead> head_with_length(core::Bytes message, size_t length) {
  std::array<uint8_t, kAttributeHead> head{message[0], message[1]};
  core::store_u16(&head[2], static_cast<uint16_t>(length));
  return head;
}

// MAPPED-ADDRESS and XOR-MAPPED-ADDRESS: a zero byte, the family, the port, then 4 or 16 bytes of address; in
// the second form port and address are XORed with the cookie and, for IPv6, the transaction id behind it.
std::optional<core::SocketAddress> parse_address(core::Bytes value, core::Bytes mask) {
  core::ByteReader reader(value);
  reader.skip(1);
  const uint8_t family = reader.u8();
  const uint16_t port = reader.u16();
  const size_t size = family == kFamilyV4 ? 4 : 16;
  const core::Bytes ip = reader.take(size);
  if (reader.failed() || reader.remaining() != 0 || (family != kFamilyV4 && family != kFamilyV6))
    return std::nullopt;
  core::SocketAddress address;
  if (family == kFamilyV4) address.ip = core::IpAddress::v4(0, 0, 0, 0);
  const size_t at = address.ip.bytes.size() - size;
  for (size_t i = 0; i < size; ++i) {
    address.ip.bytes[at + i] = mask.empty() ? ip[i] : static_cast<uint8_t>(ip[i] ^ mask[i]);
  }
  address.port = mask.empty() ? port : static_cast<uint16_t>(port ^ core::load_u16(mask.data()));
  return address;
}

template <class T>
void keep_first(std::optional<T>& field, T value) {
  if (!field) field = std::move(value);
}

}  // namespace

bool looks_like_stun(core::Bytes datagram) {
  return datagram.size() >= kHeaderSize && (datagram[0] & 0xc0) == 0 &&
         core::load_u32(&datagram[4]) == kMagicCookie &&
         core::load_u16(&datagram[2]) + kHeaderSize == datagram.size() && datagram.size() % 4 == 0;
}

core::Result<MessageView, core::ParseError> MessageView::parse(core::Bytes datagram) {
  if (datagram.size() < kHeaderSize) return core::err(core::ParseError::Truncated);
  if (!looks_like_stun(datagram)) return core::err(core::ParseError::Malformed);
  MessageView view;
  view.raw_ = datagram;
  const uint16_t type = core::load_u16(datagram.data());
  view.message_class = class_of(type);
  view.method = method_of(type);
  std::copy_n(&datagram[8], view.transaction.size(), view.transaction.begin());

  core::ByteReader reader(datagram);
  reader.skip(kHeaderSize);
  while (reader.remaining() != 0) {
    if (view.has_fingerprint) return core::err(core::ParseError::Malformed);
    Attribute attribute{};
    attribute.offset = reader.position();
    attribute.type = reader.u16();
    const size_t size = reader.u16();
    attribute.value = reader.take(size);
    reader.skip(padded(size) - size);
    if (reader.failed()) return core::err(core::ParseError::Truncated);
    if (!view.take_attribute(attribute)) return core::err(core::ParseError::Malformed);
    if (view.has_fingerprint &&
        core::load_u32(attribute.value.data()) != fingerprint_of(datagram.first(attribute.offset))) {
      return core::err(core::ParseError::BadChecksum);
    }
  }
  return view;
}

// False when an attribute that we know has a shape that its type forbids.
bool MessageView::take_attribute(const Attribute& attribute) {
  switch (static_cast<AttributeType>(attribute.type)) {
    case AttributeType::MessageIntegrity:
    case AttributeType::MessageIntegritySha256:
    case AttributeType::Fingerprint: return take_trailer(attribute);
    default: break;
  }
  if (integrity_offset_ != 0 || integrity_sha256_offset_ != 0) return true;
  switch (static_cast<AttributeType>(attribute.type)) {
    case AttributeType::Username: keep_first(username, core::as_text(attribute.value)); return true;
    case AttributeType::Realm: keep_first(realm, core::as_text(attribute.value)); return true;
    case AttributeType::Nonce: keep_first(nonce, core::as_text(attribute.value)); return true;
    case AttributeType::Software: keep_first(software, core::as_text(attribute.value)); return true;
    case AttributeType::UnknownAttributes: return attribute.value.size() % 2 == 0;
    case AttributeType::MappedAddress:
    case AttributeType::XorMappedAddress:
    case AttributeType::ErrorCode: return take_addresses_and_errors(attribute);
    case AttributeType::Priority:
    case AttributeType::UseCandidate:
    case AttributeType::IceControlled:
    case AttributeType::IceControlling: return take_ice(attribute);
    default: break;
  }
  if (attribute.type < kComprehensionOptional && unknown_count_ < kMaxUnknown) {
    unknown_[unknown_count_++] = attribute.type;
  }
  return true;
}

bool MessageView::take_trailer(const Attribute& attribute) {
  const core::Bytes value = attribute.value;
  switch (static_cast<AttributeType>(attribute.type)) {
    case AttributeType::MessageIntegrity:
      if (value.size() != kIntegritySize) return false;
      // Behind the SHA-256 form it is one of the ignored attributes.
      if (integrity_offset_ == 0 && integrity_sha256_offset_ == 0) {
        integrity_ = value;
        integrity_offset_ = attribute.offset;
      }
      return true;
    case AttributeType::MessageIntegritySha256:
      if (value.size() < 16 || value.size() > kIntegritySha256Size || value.size() % 4 != 0) return false;
      if (integrity_sha256_offset_ == 0) {
        integrity_sha256_ = value;
        integrity_sha256_offset_ = attribute.offset;
      }
      return true;
    default: return value.size() == kFingerprintSize && (has_fingerprint = true);
  }
}

bool MessageView::take_addresses_and_errors(const Attribute& attribute) {
  const core::Bytes value = attribute.value;
  if (attribute.type == static_cast<uint16_t>(AttributeType::ErrorCode)) {
    // Two reserved bytes, the hundreds in three bits, the rest of the number, then the reason in UTF-8.
    if (value.size() < 4) return false;
    const uint16_t hundreds = value[2] & 7;
    if (hundreds < 3 || hundreds > 6 || value[3] > 99) return false;
    keep_first(error,
               ErrorCode{static_cast<uint16_t>(hundreds * 100 + value[3]), core::as_text(value.subspan(4))});
    return true;
  }
  const bool is_xor = attribute.type == static_cast<uint16_t>(AttributeType::XorMappedAddress);
  const auto address = parse_address(value, is_xor ? raw_.subspan(4, 16) : core::Bytes());
  if (!address) return false;
  keep_first(is_xor ? xor_mapped_address : mapped_address, *address);
  return true;
}

bool MessageView::take_ice(const Attribute& attribute) {
  const core::Bytes value = attribute.value;
  switch (static_cast<AttributeType>(attribute.type)) {
    case AttributeType::Priority:
      if (value.size() != 4) return false;
      keep_first(priority, core::load_u32(value.data()));
      return true;
    case AttributeType::UseCandidate: return value.empty() && (use_candidate = true);
    default: break;
  }
  if (value.size() != 8) return false;
  const bool is_controlled = attribute.type == static_cast<uint16_t>(AttributeType::IceControlled);
  keep_first(is_controlled ? ice_controlled : ice_controlling, core::load_u64(value.data()));
  return true;
}

Integrity MessageView::check_integrity(core::Bytes key) const {
  if (integrity_offset_ == 0) return Integrity::Absent;
  const auto head = head_with_length(raw_, integrity_offset_ + kAttributeHead + kIntegritySize - kHeaderSize);
  const auto expected =
      crypto::hmac_sha1(key, {head, raw_.subspan(kAttributeHead, integrity_offset_ - kAttributeHead)});
  return crypto::constant_time_equal(expected, integrity_) ? Integrity::Right : Integrity::Wrong;
}

Integrity MessageView::check_integrity_sha256(core::Bytes key) const {
  if (integrity_sha256_offset_ == 0) return Integrity::Absent;
  const auto head = head_with_length(
      raw_, integrity_sha256_offset_ + kAttributeHead + integrity_sha256_.size() - kHeaderSize);
  const auto expected = crypto::hmac_sha256(
      key, {head, raw_.subspan(kAttributeHead, integrity_sha256_offset_ - kAttributeHead)});
  return crypto::constant_time_equal(expected, integrity_sha256_) ? Integrity::Right : Integrity::Wrong;
}

MessageWriter::MessageWriter(core::MutableBytes out, const Head& head) : out_(out), writer_(out) {
  writer_.u16(to_type(head.message_class, kBindingMethod));
  writer_.u16(0);
  writer_.u32(kMagicCookie);
  writer_.bytes(head.transaction);
}

void MessageWriter::begin(AttributeType type, size_t size) {
  writer_.u16(static_cast<uint16_t>(type));
  writer_.u16(static_cast<uint16_t>(size));
}

void MessageWriter::pad(size_t size) { writer_.zeros(padded(size) - size); }

void MessageWriter::set_length(size_t following) {
  if (!writer_.failed())
    core::store_u16(&out_[2], static_cast<uint16_t>(writer_.size() - kHeaderSize + following));
}

void MessageWriter::username(std::string_view local_of_peer, std::string_view own) {
  const size_t size = local_of_peer.size() + 1 + own.size();
  begin(AttributeType::Username, size);
  writer_.bytes(core::as_bytes(local_of_peer));
  writer_.u8(':');
  writer_.bytes(core::as_bytes(own));
  pad(size);
}

void MessageWriter::software(std::string_view text) {
  attribute(static_cast<uint16_t>(AttributeType::Software), core::as_bytes(text));
}

void MessageWriter::priority(uint32_t value) {
  begin(AttributeType::Priority, 4);
  writer_.u32(value);
}

void MessageWriter::use_candidate() { begin(AttributeType::UseCandidate, 0); }

void MessageWriter::ice_controlling(uint64_t tie_breaker) {
  begin(AttributeType::IceControlling, 8);
  writer_.u64(tie_breaker);
}

void MessageWriter::ice_controlled(uint64_t tie_breaker) {
  begin(AttributeType::IceControlled, 8);
  writer_.u64(tie_breaker);
}

void MessageWriter::xor_mapped_address(const core::SocketAddress& address) {
  const bool is_v4 = address.ip.is_v4();
  const core::Bytes ip = core::Bytes(address.ip.bytes).subspan(is_v4 ? 12 : 0);
  begin(AttributeType::XorMappedAddress, 4 + ip.size());
  writer_.u8(0);
  writer_.u8(is_v4 ? kFamilyV4 : kFamilyV6);
  writer_.u16(static_cast<uint16_t>(address.port ^ (kMagicCookie >> 16)));
  for (size_t i = 0; i < ip.size() && !writer_.failed(); ++i)
    writer_.u8(static_cast<uint8_t>(ip[i] ^ out_[4 + i]));
}

void MessageWriter::error_code(const ErrorCode& error) {
  const size_t size = 4 + error.reason.size();
  begin(AttributeType::ErrorCode, size);
  writer_.u16(0);
  writer_.u8(static_cast<uint8_t>(error.code / 100));
  writer_.u8(static_cast<uint8_t>(error.code % 100));
  writer_.bytes(core::as_bytes(error.reason));
  pad(size);
}

void MessageWriter::unknown_attributes(std::span<const uint16_t> types) {
  begin(AttributeType::UnknownAttributes, types.size() * 2);
  for (const uint16_t type : types) writer_.u16(type);
  pad(types.size() * 2);
}

void MessageWriter::attribute(uint16_t type, core::Bytes value) {
  writer_.u16(type);
  writer_.u16(static_cast<uint16_t>(value.size()));
  writer_.bytes(value);
  pad(value.size());
}

core::Bytes MessageWriter::finish(core::Bytes key) {
  set_length(kAttributeHead + kIntegritySize);
  if (writer_.failed()) return {};
  const auto integrity = crypto::hmac_sha1(key, {writer_.written()});
  begin(AttributeType::MessageIntegrity, kIntegritySize);
  writer_.bytes(integrity);
  return finish_without_integrity();
}

core::Bytes MessageWriter::finish_without_integrity() {
  set_length(kAttributeHead + kFingerprintSize);
  const uint32_t fingerprint = fingerprint_of(writer_.written());
  begin(AttributeType::Fingerprint, kFingerprintSize);
  writer_.u32(fingerprint);
  return writer_.failed() ? core::Bytes() : writer_.written();
}

}  // namespace huitang::stun
