// STUN messages (RFC 8489) as ICE uses them (RFC 8445): a view over received bytes and a writer into caller's
// memory.
//
// Parsing allocates nothing and keeps no copy: text and byte fields point into the datagram. It does the
// structure only; whoever uses a message must ask check_integrity() first. Left out: classic STUN (RFC 3489),
// the long-term credential mechanism, USERHASH, password algorithms, TURN. docs/deviations/stun.md says what
// that means.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/address.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::stun {

inline constexpr uint32_t kMagicCookie = 0x2112a442;
inline constexpr size_t kHeaderSize = 20;
inline constexpr uint16_t kBindingMethod = 1;

enum class MessageClass : uint8_t { Request = 0, Indication = 1, SuccessResponse = 2, ErrorResponse = 3 };

enum class AttributeType : uint16_t {
  MappedAddress = 0x0001,
  Username = 0x0006,
  MessageIntegrity = 0x0008,
  ErrorCode = 0x0009,
  UnknownAttributes = 0x000a,
  Realm = 0x0014,
  Nonce = 0x0015,
  MessageIntegritySha256 = 0x001c,
  XorMappedAddress = 0x0020,
  Priority = 0x0024,
  UseCandidate = 0x0025,
  Software = 0x8022,
  Fingerprint = 0x8028,
  IceControlled = 0x8029,
  IceControlling = 0x802a,
};

/// Codes that ICE agents send each other.
inline constexpr uint16_t kBadRequest = 400;
inline constexpr uint16_t kUnknownAttribute = 420;
inline constexpr uint16_t kRoleConflict = 487;

using TransactionId = std::array<uint8_t, 12>;

struct ErrorCode {
  uint16_t code = 0;  ///< 300..699
  std::string_view reason;
};

enum class Integrity : uint8_t { Absent, Wrong, Right };

/// First byte, cookie and length look like STUN. Enough to tell it from DTLS and RTP (RFC 7983), no more.
bool looks_like_stun(core::Bytes datagram);

/// A parsed message. Fields hold the first attribute of each type that stands before any integrity attribute;
/// what stands behind one is ignored (RFC 8489 section 14.5), only FINGERPRINT is still looked at.
class MessageView {
 public:
  /// Malformed: a length that does not fit, a known attribute of the wrong size, something behind
  /// FINGERPRINT. BadChecksum: a FINGERPRINT that does not match.
  static core::Result<MessageView, core::ParseError> parse(core::Bytes datagram);

  static constexpr size_t kMaxUnknown = 8;

  MessageClass message_class = MessageClass::Request;
  uint16_t method = 0;
  TransactionId transaction{};
  std::optional<std::string_view> username;
  std::optional<std::string_view> realm;
  std::optional<std::string_view> nonce;
  std::optional<std::string_view> software;
  std::optional<core::SocketAddress> mapped_address;
  std::optional<core::SocketAddress> xor_mapped_address;
  std::optional<ErrorCode> error;
  std::optional<uint32_t> priority;
  std::optional<uint64_t> ice_controlled;
  std::optional<uint64_t> ice_controlling;
  bool use_candidate = false;
  bool has_fingerprint = false;

  /// Comprehension-required attributes (type below 0x8000) that we do not know: the first kMaxUnknown of
  /// them.
  /// They live in the view itself.
  std::span<const uint16_t> unknown_required() const& { return {unknown_.data(), unknown_count_}; }
  std::span<const uint16_t> unknown_required() && = delete;

  /// MESSAGE-INTEGRITY against the key; for ICE the key is the password as it stands.
  Integrity check_integrity(core::Bytes key) const;
  /// MESSAGE-INTEGRITY-SHA256 in its full length; a truncated one counts as wrong.
  Integrity check_integrity_sha256(core::Bytes key) const;

 private:
  struct Attribute {
    uint16_t type;
    core::Bytes value;
    size_t offset;
  };
  bool take_attribute(const Attribute& attribute);
  bool take_trailer(const Attribute& attribute);
  bool take_addresses_and_errors(const Attribute& attribute);
  bool take_ice(const Attribute& attribute);

  core::Bytes raw_;
  core::Bytes integrity_;
  core::Bytes integrity_sha256_;
  size_t integrity_offset_ = 0;  ///< of the attribute's header; 0 when absent
  size_t integrity_sha256_offset_ = 0;
  std::array<uint16_t, kMaxUnknown> unknown_{};
  uint8_t unknown_count_ = 0;
};

/// Writes one message front to back. When the memory does not suffice, finish() gives an empty span.
class MessageWriter {
 public:
  struct Head {
    MessageClass message_class;
    TransactionId transaction;
  };
  MessageWriter(core::MutableBytes out, const Head& head);

  void username(std::string_view local_of_peer, std::string_view own);
  void software(std::string_view text);
  void priority(uint32_t value);
  void use_candidate();
  void ice_controlling(uint64_t tie_breaker);
  void ice_controlled(uint64_t tie_breaker);
  void xor_mapped_address(const core::SocketAddress& address);
  void error_code(const ErrorCode& error);
  void unknown_attributes(std::span<const uint16_t> types);
  /// An attribute that has no function of its own.
  void attribute(uint16_t type, core::Bytes value);

  /// Closes the message with MESSAGE-INTEGRITY and FINGERPRINT.
  core::Bytes finish(core::Bytes key);
  /// Closes it with FINGERPRINT only.
  core::Bytes finish_without_integrity();

 private:
  void begin(AttributeType type, size_t size);
  void pad(size_t size);
  void set_length(size_t following);

  core::MutableBytes out_;
  core::ByteWriter writer_;
};

}  // namespace huitang::stun
