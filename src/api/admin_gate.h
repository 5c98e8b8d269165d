// Who may administer this box. One secret, printed as a link at first start and kept as a hash; opening the
// link once in a browser gives it a signed cookie. Machines send the secret as a bearer token.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"
#include "api/token.h"
#include "api/token_bucket.h"
#include "api/token_gate.h"
#include "crypto/hash.h"

namespace huitang::api {

/// The prefix makes browsers hold to Secure, Path=/ and no Domain, so that no other host can plant it.
inline constexpr std::string_view kAdminCookie = "__Host-huitang_admin";

class AdminGate {
 public:
  /// `hash` is what stands in the store: "sha256:" and 32 bytes.
  AdminGate(std::string hash, const TokenSigner& signer, Metrics& metrics, core::Random& random);
  static std::string hash_of(std::string_view secret);

  /// A second secret, of the administrator's commands on this machine (api/local_access.h); lasts as long as
  /// this object.
  void allow_local(std::string_view secret) { local_hash_ = hash_of(secret); }

  /// By bearer token or by cookie. Wrong bearer tokens are limited by address.
  bool is_admin(core::Instant now, core::WallTime wall, const HttpRequest& request);
  /// The Set-Cookie value for the right secret; absent for a wrong one or too many tries.
  std::optional<std::string> open_session(core::Instant now, core::WallTime wall, const core::IpAddress& from,
                                          std::string_view secret);

 private:
  bool check_secret(const TokenContext& context, std::string_view secret);
  /// Stands in the cookie, so that a new secret ends the cookies of the old one.
  std::string mark() const;
  std::string hash_;
  std::string local_hash_;  ///< empty: none
  const TokenSigner& signer_;
  Metrics& metrics_;
  TokenGate tokens_;
  core::Random& random_;
  AddressLimiter tries_{{0.2, 10}};
};

/// Value of one cookie in a Cookie field.
std::optional<std::string_view> find_cookie(std::string_view field, std::string_view name);

}  // namespace huitang::api
