// Token texts: arbitrary ones, good ones with bytes changed, and arbitrary claims under a right signature. Nothing but the
// signer's own text is taken, and what is taken can be signed to the same text again.
#include <string>

#include "api/token.h"
#include "core/bytes.h"
#include "core/check.h"
#include "crypto/base64url.h"

using namespace huitang;

namespace {

const core::WallTime kNow = core::WallTime::from_unix_millis(1'700'000'000'000);

const crypto::Ed25519Key& key() {
  static const crypto::Ed25519Key made = crypto::Ed25519Key::from_seed({1, 2, 3});
  return made;
}
const api::TokenSigner& signer() {
  static const api::TokenSigner made(crypto::Ed25519Key::from_seed({1, 2, 3}));
  return made;
}
std::string good_token() {
  api::Claims claims;
  claims.audience = api::Audience::Resume;
  claims.session = "a session";
  claims.conference = "123456789";
  claims.generation = 7;
  claims.issued = kNow;
  claims.expires = core::WallTime::from_unix_millis(kNow.to_unix_millis() + 60'000);
  return signer().sign(claims);
}

void verify_with_each_audience(std::string_view text, bool may_be_good) {
  for (const api::Audience audience : {api::Audience::Resume, api::Audience::Chair, api::Audience::Admin}) {
    const auto claims = signer().verify(kNow, audience, text);
    if (!claims) continue;
    HUITANG_CHECK(may_be_good && claims->audience == audience && claims->expires > kNow);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  core::ByteReader in({data, size});
  const uint8_t kind = in.u8();
  if (in.failed() || size > 1500) return 0;
  if (kind % 3 == 0) {
    verify_with_each_audience(core::as_text(in.take(in.remaining())), false);
  } else if (kind % 3 == 1) {
    static const std::string good = good_token();
    std::string changed = good;
    while (in.remaining() >= 3) changed[in.u16() % changed.size()] = static_cast<char>(in.u8());
    verify_with_each_audience(changed, changed == good);
  } else {
    // The parser behind the signature: what a signer of another version could have written.
    const std::string body = "e1." + crypto::to_base64url(in.take(in.remaining()));
    const auto signature = key().sign(core::as_bytes("huitang.token." + body));
    const std::string text = body + "." + crypto::to_base64url(signature);
    verify_with_each_audience(text, true);
  }
  return 0;
}
