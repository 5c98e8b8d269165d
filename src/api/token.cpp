#include "api/token.h"

#include <array>

#include "core/bytes.h"
#include "crypto/base64url.h"

namespace huitang::api {
namespace {

constexpr std::string_view kPrefix = "e1.";
constexpr std::string_view kDomain = "huitang.token.";
constexpr size_t kMaxField = 64;
/// Milliseconds. A clock that was set back by a day must not end the sessions of a meeting.
constexpr int64_t kMaxClockStep = 48LL * 3600 * 1000;

//  0                   1
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   audience    |  len session  | session …
// | len conference| conference …
// | peer (8) | generation (8) | issued ms (8) | expires ms (8)
// |   len nonce   | nonce …
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+  nothing after it
core::Buffer write_claims(const Claims& claims) {
  std::array<uint8_t, 2 + 3 * (1 + kMaxField) + 4 * 8> room;
  core::ByteWriter writer(room);
  auto text = [&](std::string_view value) {
    value = value.substr(0, kMaxField);
    writer.u8(static_cast<uint8_t>(value.size()));
    writer.bytes(core::as_bytes(value));
  };
  writer.u8(static_cast<uint8_t>(claims.audience));
  text(claims.session);
  text(claims.conference);
  writer.u64(claims.peer);
  writer.u64(claims.generation);
  writer.u64(static_cast<uint64_t>(claims.issued.to_unix_millis()));
  writer.u64(static_cast<uint64_t>(claims.expires.to_unix_millis()));
  text(claims.nonce);
  return {writer.written().begin(), writer.written().end()};
}

std::optional<Claims> parse_claims(core::Bytes bytes) {
  core::ByteReader reader(bytes);
  auto text = [&] {
    const size_t size = reader.u8();
    return std::string(core::as_text(reader.take(size)));
  };
  auto time = [&] { return core::WallTime::from_unix_millis(static_cast<int64_t>(reader.u64())); };
  Claims claims;
  claims.audience = static_cast<Audience>(reader.u8());
  claims.session = text();
  claims.conference = text();
  claims.peer = reader.u64();
  claims.generation = reader.u64();
  claims.issued = time();
  claims.expires = time();
  claims.nonce = text();
  if (reader.failed() || reader.remaining() != 0) return std::nullopt;
  return claims;
}

std::string signed_text(std::string_view body) { return std::string(kDomain).append(kPrefix).append(body); }

}  // namespace

std::string TokenSigner::sign(const Claims& claims) const {
  const std::string body = crypto::to_base64url(write_claims(claims));
  const crypto::Ed25519Signature signature = key_.sign(core::as_bytes(signed_text(body)));
  return std::string(kPrefix).append(body).append(".").append(crypto::to_base64url(signature));
}

std::optional<Claims> TokenSigner::verify(core::WallTime now, Audience audience,
                                          std::string_view text) const {
  if (text.size() > kMaxText || !text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(0, dot);
  const std::optional<core::Buffer> signature = crypto::from_base64url(text.substr(dot + 1));
  if (!signature || !key_.public_key().verify(core::as_bytes(signed_text(body)), *signature))
    return std::nullopt;
  const std::optional<core::Buffer> bytes = crypto::from_base64url(body);
  if (!bytes) return std::nullopt;
  std::optional<Claims> claims = parse_claims(*bytes);
  if (!claims || claims->audience != audience || now >= claims->expires) return std::nullopt;
  if (claims->issued.to_unix_millis() > now.to_unix_millis() + kMaxClockStep) return std::nullopt;
  return claims;
}

}  // namespace huitang::api
