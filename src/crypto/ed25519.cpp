#include "crypto/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/check.h"

namespace huitang::crypto {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

DigestContext make_context() {
  DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  HUITANG_CHECK(context != nullptr);
  return context;
}

EvpKey make_private(const Ed25519Key::Seed& seed) {
  EvpKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  HUITANG_CHECK(key != nullptr);
  return key;
}

std::array<uint8_t, 32> public_half(evp_pkey_st* key) {
  std::array<uint8_t, 32> out;
  size_t size = out.size();
  HUITANG_CHECK(EVP_PKEY_get_raw_public_key(key, out.data(), &size) == 1 && size == out.size());
  return out;
}

// An empty span may hold a null pointer, which OpenSSL's one-shot calls do not take everywhere.
const uint8_t* address_of(core::Bytes bytes) {
  static constexpr uint8_t kNothing = 0;
  return bytes.empty() ? &kNothing : bytes.data();
}

}  // namespace

void EvpKeyDeleter::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Ed25519PublicKey::Ed25519PublicKey(const std::array<uint8_t, kSize>& bytes)
    : bytes_(bytes),
      key_(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size())) {
  HUITANG_CHECK(key_ != nullptr);
}

bool Ed25519PublicKey::verify(core::Bytes message, core::Bytes signature) const {
  if (signature.size() != std::tuple_size_v<Ed25519Signature>) return false;
  const DigestContext context = make_context();
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), address_of(message),
                          message.size()) == 1;
}

Ed25519Key::Ed25519Key(const Seed& seed)
    : seed_(seed), key_(make_private(seed)), public_key_(public_half(key_.get())) {}

Ed25519Key::~Ed25519Key() { OPENSSL_cleanse(seed_.data(), seed_.size()); }

Ed25519Key Ed25519Key::from_seed(const Seed& seed) { return Ed25519Key(seed); }

Ed25519Key Ed25519Key::generate(core::Random& random) {
  Seed seed;
  random.fill(seed);
  Ed25519Key key(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

Ed25519Signature Ed25519Key::sign(core::Bytes message) const {
  Ed25519Signature out;
  size_t size = out.size();
  const DigestContext context = make_context();
  HUITANG_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  HUITANG_CHECK(EVP_DigestSign(context.get(), out.data(), &size, address_of(message), message.size()) == 1 &&
                size == out.size());
  return out;
}

}  // namespace huitang::crypto
