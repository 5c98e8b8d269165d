#include "api/admin_gate.h"

#include "crypto/base64url.h"
#include "crypto/system_random.h"

namespace huitang::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr int64_t kSessionSeconds = 30LL * 24 * 3600;

}  // namespace

std::optional<std::string_view> find_cookie(std::string_view field, std::string_view name) {
  while (!field.empty()) {
    const size_t semicolon = field.find(';');
    std::string_view pair = field.substr(0, semicolon);
    field = semicolon == std::string_view::npos ? std::string_view() : field.substr(semicolon + 1);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return std::nullopt;
}

AdminGate::AdminGate(std::string hash, const TokenSigner& signer, Metrics& metrics, core::Random& random)
    : hash_(std::move(hash)), signer_(signer), metrics_(metrics), tokens_(signer, metrics), random_(random) {}

std::string AdminGate::hash_of(std::string_view secret) {
  const crypto::Sha256Digest digest = crypto::sha256(core::as_bytes(secret));
  return std::string("sha256:").append(core::as_text(digest));
}

std::string AdminGate::mark() const {
  return crypto::to_base64url(crypto::sha256(core::as_bytes("huitang.admin-cookie." + hash_))).substr(0, 22);
}

bool AdminGate::check_secret(const TokenContext& context, std::string_view secret) {
  if (!tries_.has(context.now, context.from)) {
    tokens_.refuse(context, Audience::Admin, "too many wrong secrets from there");
    return false;
  }
  metrics_.add(Metric::SecretsChecked);
  const std::string hash = hash_of(secret);
  const bool right = crypto::constant_time_equal(core::as_bytes(hash), core::as_bytes(hash_)) ||
                     crypto::constant_time_equal(core::as_bytes(hash), core::as_bytes(local_hash_));
  if (right) return true;
  tries_.try_take(context.now, context.from);
  tokens_.refuse(context, Audience::Admin, "wrong secret");
  return false;
}

bool AdminGate::is_admin(core::Instant now, core::WallTime wall, const HttpRequest& request) {
  const TokenContext context{now, wall, request.from};
  if (const std::optional<std::string_view> cookie = find_cookie(request.cookie, kAdminCookie)) {
    const std::optional<Claims> claims = tokens_.verify(context, Audience::Admin, *cookie);
    if (claims && claims->session == mark()) return true;
    if (claims) tokens_.refuse(context, Audience::Admin, "cookie of another secret");
  }
  const std::string_view field = request.authorization;
  return field.starts_with(kBearer) && check_secret(context, field.substr(kBearer.size()));
}

std::optional<std::string> AdminGate::open_session(core::Instant now, core::WallTime wall,
                                                   const core::IpAddress& from, std::string_view secret) {
  if (!check_secret({now, wall, from}, secret)) return std::nullopt;
  Claims claims;
  claims.audience = Audience::Admin;
  claims.session = mark();
  claims.issued = wall;
  claims.expires = core::WallTime::from_unix_millis(wall.to_unix_millis() + kSessionSeconds * 1000);
  claims.nonce = crypto::make_token(random_, 9);
  return std::string(kAdminCookie) + "=" + signer_.sign(claims) +
         "; Path=/; Max-Age=" + std::to_string(kSessionSeconds) + "; HttpOnly; Secure; SameSite=Strict";
}

}  // namespace huitang::api
