#include <gtest/gtest.h>

#include <set>
#include <string>

#include "crypto/base64url.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/system_random.h"

namespace huitang::crypto {
namespace {

using core::as_bytes;
using core::Buffer;
using core::Bytes;

Buffer from_hex(std::string_view text) {
  Buffer out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t b : bytes) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

std::array<uint8_t, 32> key_from_hex(std::string_view text) {
  const Buffer bytes = from_hex(text);
  std::array<uint8_t, 32> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

TEST(Sha256, gives_the_digests_of_fips_180_4) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

struct HmacVector {
  Buffer key;
  Buffer data;
  std::string digest;
};

TEST(HmacSha1, gives_the_digests_of_rfc_2202) {
  const HmacVector vectors[] = {
      {Buffer(20, 0x0b), from_hex("4869205468657265"), "b617318655057264e28bc0b6fb378c8ef146be00"},
      {from_hex("4a656665"), from_hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f"),
       "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {Buffer(20, 0xaa), Buffer(50, 0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Buffer(50, 0xcd),
       "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {Buffer(80, 0xaa),
       from_hex(
           "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579"
           "204669727374"),
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
  };
  for (const auto& v : vectors) EXPECT_EQ(to_hex(hmac_sha1(v.key, {v.data})), v.digest);
}

TEST(HmacSha256, gives_the_digests_of_rfc_4231) {
  const HmacVector vectors[] = {
      {Buffer(20, 0x0b), from_hex("4869205468657265"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {from_hex("4a656665"), from_hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Buffer(20, 0xaa), Buffer(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {Buffer(131, 0xaa),
       from_hex(
           "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579"
           "204669727374"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const auto& v : vectors) EXPECT_EQ(to_hex(hmac_sha256(v.key, {v.data})), v.digest);
}

TEST(Hmac, of_parts_equals_hmac_of_the_whole_and_takes_an_empty_key) {
  const Buffer whole = from_hex("00112233445566778899");
  const Bytes view(whole);
  EXPECT_EQ(hmac_sha1({}, {whole}), hmac_sha1({}, {view.first(3), Bytes(), view.subspan(3)}));
  EXPECT_EQ(to_hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Crc32, gives_the_check_value_and_continues_over_parts) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
  EXPECT_EQ(crc32(as_bytes("6789"), crc32(as_bytes("12345"))), 0xcbf43926u);
  EXPECT_EQ(crc32({}), 0u);
}

TEST(ConstantTimeEqual, tells_equal_from_unequal) {
  EXPECT_TRUE(constant_time_equal(as_bytes("same"), as_bytes("same")));
  EXPECT_TRUE(constant_time_equal({}, {}));
  EXPECT_FALSE(constant_time_equal(as_bytes("same"), as_bytes("sama")));
  EXPECT_FALSE(constant_time_equal(as_bytes("same"), as_bytes("sam")));
}

TEST(SystemRandom, does_not_repeat_itself) {
  SystemRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.u64());
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Token, has_the_length_of_its_entropy_in_base64url) {
  core::SeededRandom random(1);
  const std::string token = make_token(random);
  EXPECT_EQ(token.size(), 22u);
  EXPECT_NE(token, make_token(random));
  EXPECT_EQ(make_token(random, 32).size(), 43u);
  ASSERT_TRUE(from_base64url(token).has_value());
}

TEST(Base64Url, gives_the_texts_of_rfc_4648_without_padding) {
  EXPECT_EQ(to_base64url({}), "");
  EXPECT_EQ(to_base64url(as_bytes("f")), "Zg");
  EXPECT_EQ(to_base64url(as_bytes("fo")), "Zm8");
  EXPECT_EQ(to_base64url(as_bytes("foo")), "Zm9v");
  EXPECT_EQ(to_base64url(as_bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(to_base64url(from_hex("fbff")), "-_8");
}

TEST(Base64Url, comes_back_for_every_length) {
  core::SeededRandom random(3);
  for (size_t n = 0; n < 70; ++n) {
    Buffer bytes(n);
    random.fill(bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
}

TEST(Base64Url, refuses_every_text_but_the_canonical_one) {
  for (const char* text : {"Z", "Zg==", "Zm 8", "Zm+v", "Zm/v", "Zh", "Zm9", "Zm9vY", "\xff\xff"}) {
    EXPECT_FALSE(from_base64url(text).has_value()) << text;
  }
}

struct SignatureVector {
  std::string_view seed, public_key, message, signature;
};

TEST(Ed25519, signs_and_verifies_the_vectors_of_rfc_8032) {
  const SignatureVector vectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf"
       "5f0595b"
       "be24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2"
       "eaeb430"
       "2aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c1"
       "5e9716e"
       "d28dc027beceea1ec40a"},
  };
  for (const auto& v : vectors) {
    const Ed25519Key key = Ed25519Key::from_seed(key_from_hex(v.seed));
    EXPECT_EQ(to_hex(key.public_key().bytes()), v.public_key);
    EXPECT_EQ(to_hex(key.to_seed()), v.seed);
    EXPECT_EQ(to_hex(key.sign(from_hex(v.message))), v.signature);
    EXPECT_TRUE(
        Ed25519PublicKey(key_from_hex(v.public_key)).verify(from_hex(v.message), from_hex(v.signature)));
  }
}

TEST(Ed25519, refuses_a_changed_message_a_changed_signature_and_another_key) {
  core::SeededRandom random(4);
  const Ed25519Key key = Ed25519Key::generate(random);
  const Ed25519Key other = Ed25519Key::generate(random);
  const Ed25519Signature signature = key.sign(as_bytes("chair"));
  EXPECT_TRUE(key.public_key().verify(as_bytes("chair"), signature));
  EXPECT_FALSE(key.public_key().verify(as_bytes("chain"), signature));
  EXPECT_FALSE(other.public_key().verify(as_bytes("chair"), signature));
  EXPECT_FALSE(key.public_key().verify(as_bytes("chair"), Bytes(signature).first(63)));
  for (size_t i = 0; i < signature.size(); ++i) {
    Ed25519Signature changed = signature;
    changed[i] ^= 0x10;
    EXPECT_FALSE(key.public_key().verify(as_bytes("chair"), changed)) << i;
  }
}

}  // namespace
}  // namespace huitang::crypto
