// The published test vectors, on every back-end that runs here.
#include <gtest/gtest.h>

#include "srtp/packet_cipher.h"
#include "srtp/test_support.h"

namespace huitang::srtp {
namespace {

using test::from_hex;
using test::to_hex;

class SrtpVectors : public testing::TestWithParam<BackendKind> {
 protected:
  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Backends, SrtpVectors, testing::ValuesIn(test::available_backends()),
                         test::name_of_backend);

SessionKeys session_keys(std::string_view key, std::string_view salt, std::string_view auth = "") {
  SessionKeys keys;
  const auto put = [](std::string_view hex, auto& into) {
    const core::Buffer bytes = from_hex(hex);
    std::copy(bytes.begin(), bytes.end(), into.begin());
  };
  put(key, keys.cipher);
  put(salt, keys.salt);
  put(auth, keys.auth);
  return keys;
}

TEST_P(SrtpVectors, counter_mode_gives_the_keystream_of_rfc_3711_b2) {
  const PacketCipher cipher(*backend_, Profile::Aes128CmHmacSha1_80,
                            session_keys("2B7E151628AED2A6ABF7158809CF4F3C", "F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
  core::Buffer stream((0xff01 + 1) * 16);
  cipher.counter_mac()->crypt(cipher.counter_iv(0, 0), stream, stream.data());
  const auto block = [&](size_t n) { return to_hex(core::Bytes(stream).subspan(n * 16, 16)); };
  EXPECT_EQ(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
  EXPECT_EQ(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
  EXPECT_EQ(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
  EXPECT_EQ(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
  EXPECT_EQ(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
  EXPECT_EQ(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
}

TEST(SrtpKeys, are_derived_as_in_rfc_3711_b3) {
  KeyMaterial master{Profile::Aes128CmHmacSha1_80, {}, {}};
  const core::Buffer key = from_hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const core::Buffer salt = from_hex("0EC675AD498AFEEBB6960B3AABE6");
  std::copy(key.begin(), key.end(), master.key.begin());
  std::copy(salt.begin(), salt.end(), master.salt.begin());
  const SessionKeys keys = derive_session_keys(master, PacketKind::Rtp);
  EXPECT_EQ(to_hex(core::Bytes(keys.cipher).first(16)), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(to_hex(keys.salt), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(to_hex(keys.auth), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

// RFC 7714 section 16: "Gallia est omnis divisa in partes tres", salt "Quid pro quo".
constexpr std::string_view kSalt = "517569642070726f2071756f";
constexpr std::string_view kHeader = "8040f17b8041f8d35501a0b2";
constexpr std::string_view kPayload =
    "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
constexpr std::string_view kKey256 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::string_view kKey128 = kKey256.substr(0, 32);

std::string seal_with(const PacketCipher& cipher, uint32_t ssrc, uint64_t index, std::string_view aad,
                      std::string_view plain) {
  const core::Buffer in = from_hex(plain);
  core::Buffer out(in.size() + kAeadTagSize);
  cipher.aead()->seal(cipher.aead_iv(ssrc, index), from_hex(aad), in, out.data());
  return to_hex(out);
}

TEST_P(SrtpVectors, aes_128_gcm_seals_rtp_as_in_rfc_7714_16_1) {
  const PacketCipher cipher(*backend_, Profile::AeadAes128Gcm, session_keys(kKey128, kSalt));
  EXPECT_EQ(to_hex(cipher.aead_iv(0x5501a0b2, 0xf17b)), "51753c6580c2726f20718414");
  EXPECT_EQ(seal_with(cipher, 0x5501a0b2, 0xf17b, kHeader, kPayload),
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
            "899d7f27beb16a9152cf765ee4390cce");
}

TEST_P(SrtpVectors, aes_256_gcm_seals_rtp_as_in_rfc_7714_16_2) {
  const PacketCipher cipher(*backend_, Profile::AeadAes256Gcm, session_keys(kKey256, kSalt));
  EXPECT_EQ(seal_with(cipher, 0x5501a0b2, 0xf17b, kHeader, kPayload),
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
            "7aa3db36dfffd6b0f9bb7878d7a76c13");
}

// RFC 7714 section 17: a sender report, SRTCP index 0x5d4.
constexpr std::string_view kRtcpAad = "81c8000d4d617273800005d4";
constexpr std::string_view kRtcpBody =
    "4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";

TEST_P(SrtpVectors, aes_128_gcm_seals_rtcp_as_in_rfc_7714_17_1) {
  const PacketCipher cipher(*backend_, Profile::AeadAes128Gcm, session_keys(kKey128, kSalt));
  EXPECT_EQ(seal_with(cipher, 0x4d617273, 0x5d4, kRtcpAad, kRtcpBody),
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b"
            "c84aa45896cf4d2fc5abf87245d9eade");
}

TEST_P(SrtpVectors, aes_256_gcm_seals_rtcp_as_in_rfc_7714_17_3) {
  const PacketCipher cipher(*backend_, Profile::AeadAes256Gcm, session_keys(kKey256, kSalt));
  EXPECT_EQ(seal_with(cipher, 0x4d617273, 0x5d4, kRtcpAad, kRtcpBody),
            "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad"
            "1d1eb30c4446839f57ff6f6cb26ac3be");
}

}  // namespace
}  // namespace huitang::srtp
