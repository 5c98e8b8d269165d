#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

#include "core/check.h"

namespace huitang::crypto {
namespace {

// Fetching an algorithm takes locks and string lookups in OpenSSL 3; the fetched object is immutable and
// shared.
EVP_MAC* hmac_algorithm() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  HUITANG_CHECK(mac != nullptr);
  return mac;
}

template <size_t kSize>
std::array<uint8_t, kSize> hmac(const char* digest, core::Bytes key,
                                std::initializer_list<core::Bytes> parts) {
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(hmac_algorithm()),
                                                                          &EVP_MAC_CTX_free);
  HUITANG_CHECK(context != nullptr);
  // OpenSSL takes a null key as "keep the old one", so an empty key still needs an address.
  static constexpr uint8_t kNoKey = 0;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  HUITANG_CHECK(EVP_MAC_init(context.get(), key.empty() ? &kNoKey : key.data(), key.size(), params) == 1);
  for (const core::Bytes part : parts) {
    HUITANG_CHECK(part.empty() || EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
  }
  std::array<uint8_t, kSize> out;
  size_t size = 0;
  HUITANG_CHECK(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1 && size == kSize);
  return out;
}

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

}  // namespace

Sha256Digest sha256(core::Bytes message) {
  Sha256Digest out;
  unsigned size = 0;
  HUITANG_CHECK(EVP_Digest(message.data(), message.size(), out.data(), &size, EVP_sha256(), nullptr) == 1 &&
                size == out.size());
  return out;
}

Sha1Digest hmac_sha1(core::Bytes key, std::initializer_list<core::Bytes> parts) {
  return hmac<20>("SHA1", key, parts);
}

Sha256Digest hmac_sha256(core::Bytes key, std::initializer_list<core::Bytes> parts) {
  return hmac<32>("SHA256", key, parts);
}

uint32_t crc32(core::Bytes message, uint32_t crc) {
  static constexpr std::array<uint32_t, 256> kTable = make_crc_table();
  crc = ~crc;
  for (const uint8_t byte : message) crc = kTable[(crc ^ byte) & 0xff] ^ (crc >> 8);
  return ~crc;
}

bool constant_time_equal(core::Bytes a, core::Bytes b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace huitang::crypto
