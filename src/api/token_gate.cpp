#include "api/token_gate.h"

#include <utility>

#include "api/log.h"

namespace huitang::api {
namespace {

std::string_view name_of(Audience audience) {
  switch (audience) {
    case Audience::Resume: return "resume";
    case Audience::Chair: return "chair";
    case Audience::Admin: return "admin";
  }
  return "unknown";
}

Metric counter_of(Audience audience) {
  switch (audience) {
    case Audience::Resume: return Metric::ResumesRefused;
    case Audience::Chair: return Metric::InvitesRefused;
    case Audience::Admin: break;
  }
  return Metric::AdminsRefused;
}

}  // namespace

std::optional<Claims> TokenGate::verify(const TokenContext& context, Audience audience,
                                        std::string_view text) {
  metrics_.add(Metric::TokensChecked);
  std::optional<Claims> claims = signer_.verify(context.wall, audience, text);
  if (!claims) refuse(context, audience, "signature, form, audience or time");
  return claims;
}

void TokenGate::refuse(const TokenContext& context, Audience audience, std::string_view why) {
  metrics_.add(counter_of(audience));
  if (!lines_.try_take(context.now)) {
    ++unsaid_;
    return;
  }
  logger().warn("token refused", {{"audit", name_of(audience)},
                                  {"why", why},
                                  {"from", net::Redacted(core::SocketAddress{context.from, 0})},
                                  {"unsaid", std::exchange(unsaid_, 0)}});
}

}  // namespace huitang::api
