#include "api/token.h"

#include <gtest/gtest.h>

namespace huitang::api {
namespace {

core::WallTime at(int64_t ms) { return core::WallTime::from_unix_millis(ms); }

struct Token : testing::Test {
  core::SeededRandom random{7};
  TokenSigner signer{crypto::Ed25519Key::generate(random)};
  Claims claims = [] {
    Claims c;
    c.audience = Audience::Chair;
    c.conference = "123456789";
    c.generation = 3;
    c.issued = at(1000);
    c.expires = at(9000);
    c.nonce = "n";
    return c;
  }();
};

TEST_F(Token, gives_its_claims_back) {
  EXPECT_EQ(signer.verify(at(2000), Audience::Chair, signer.sign(claims)), claims);
}

TEST_F(Token, is_good_for_its_audience_and_time_only) {
  const std::string text = signer.sign(claims);
  EXPECT_FALSE(signer.verify(at(2000), Audience::Admin, text));
  EXPECT_FALSE(signer.verify(at(9000), Audience::Chair, text));
  EXPECT_TRUE(signer.verify(at(8999), Audience::Chair, text));
}

TEST_F(Token, is_refused_from_the_far_future_but_outlives_a_clock_set_back_by_a_day) {
  claims.issued = at(100LL * 24 * 3600 * 1000);
  claims.expires = at(200LL * 24 * 3600 * 1000);
  const std::string text = signer.sign(claims);
  EXPECT_TRUE(signer.verify(at(99LL * 24 * 3600 * 1000), Audience::Chair, text));
  EXPECT_FALSE(signer.verify(at(97LL * 24 * 3600 * 1000), Audience::Chair, text));
}

TEST_F(Token, is_refused_when_another_key_signed_it) {
  const TokenSigner other(crypto::Ed25519Key::generate(random));
  EXPECT_FALSE(signer.verify(at(2000), Audience::Chair, other.sign(claims)));
}

TEST_F(Token, is_refused_after_any_change_of_one_character) {
  const std::string text = signer.sign(claims);
  for (size_t i = 0; i < text.size(); ++i)
    for (const char c : {'A', 'x', '.', '='}) {
      std::string altered = text;
      if (altered[i] == c) continue;
      altered[i] = c;
      EXPECT_FALSE(signer.verify(at(2000), Audience::Chair, altered)) << i << c;
    }
}

TEST_F(Token, is_refused_when_cut_or_extended) {
  const std::string text = signer.sign(claims);
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(signer.verify(at(2000), Audience::Chair, text.substr(0, size)));
  EXPECT_FALSE(signer.verify(at(2000), Audience::Chair, text + "A"));
  EXPECT_FALSE(signer.verify(at(2000), Audience::Chair, text + std::string(2000, 'A')));
}

}  // namespace
}  // namespace huitang::api
