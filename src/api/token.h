// Signed tokens: what serve hands to clients and believes when it comes back. Short-lived, for one audience,
// bound to a session or a conference, signed with EdDSA by a key that never leaves the data folder.
//
//   "e1." base64url(claims) "." base64url(signature over "huitang.token.e1." base64url(claims))
//
// "e1" names the algorithm (Ed25519, first form of the claims); another one can stand beside it later. Claims
// are fields in fixed order, each a length and bytes (wire picture in token.cpp). Nothing in them is secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "crypto/ed25519.h"

namespace huitang::api {

enum class Audience : uint8_t {
  Resume = 1,  ///< goes on with a session after a lost socket
  Chair = 2,   ///< may hold the chair of one conference
  Admin = 3,   ///< a browser that opened the admin link
};

struct Claims {
  Audience audience = Audience::Resume;
  std::string session;      ///< Resume: the session's id
  std::string conference;   ///< number; Resume: empty before joining
  uint64_t peer = 0;        ///< Resume: the media endpoint that belongs to the session
  uint64_t generation = 0;  ///< Resume: counts the tokens of a session; only the newest is good
  core::WallTime issued;
  core::WallTime expires;
  std::string nonce;  ///< makes each token unlike any other
  bool operator==(const Claims&) const = default;
};

class TokenSigner {
 public:
  static constexpr size_t kMaxText = 1024;
  explicit TokenSigner(crypto::Ed25519Key key) : key_(std::move(key)) {}

  std::string sign(const Claims& claims) const;
  /// The claims when signature, form, audience and time are all right; nothing is said about which was not.
  std::optional<Claims> verify(core::WallTime now, Audience audience, std::string_view text) const;

 private:
  crypto::Ed25519Key key_;
};

}  // namespace huitang::api
