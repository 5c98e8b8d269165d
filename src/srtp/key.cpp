#include "srtp/key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "core/check.h"

namespace huitang::srtp {
namespace {

// RFC 3711 section 4.3.1: x = key_id XOR salt, where key_id is the label in bits 48..55 (r is zero), and the
// keystream of AES-CM under the master key with IV x * 2^16.
//
//   byte  0        7       14   16
//         +--------+--------+----+
//         |  salt  | label^ | 00 |
//         +--------+--------+----+
void derive(const KeyMaterial& master, uint8_t label, core::MutableBytes out) {
  std::array<uint8_t, 16> iv{};
  const core::Bytes salt = master.salt_bytes();
  std::copy(salt.begin(), salt.end(), iv.begin());
  iv[7] ^= label;
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = master.key_bytes().size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  std::fill(out.begin(), out.end(), uint8_t{0});
  int size = 0;
  HUITANG_CHECK(context != nullptr);
  HUITANG_CHECK(EVP_EncryptInit_ex(context.get(), cipher, nullptr, master.key.data(), iv.data()) == 1);
  HUITANG_CHECK(
      EVP_EncryptUpdate(context.get(), out.data(), &size, out.data(), static_cast<int>(out.size())) == 1);
}

}  // namespace

SessionKeys::~SessionKeys() { OPENSSL_cleanse(this, sizeof *this); }

SessionKeys derive_session_keys(const KeyMaterial& master, PacketKind kind) {
  const uint8_t first = kind == PacketKind::Rtp ? 0 : 3;
  SessionKeys keys;
  derive(master, first, core::MutableBytes(keys.cipher).first(master.key_bytes().size()));
  if (!crypto::is_aead(master.profile)) derive(master, static_cast<uint8_t>(first + 1), keys.auth);
  derive(master, static_cast<uint8_t>(first + 2),
         core::MutableBytes(keys.salt).first(master.salt_bytes().size()));
  return keys;
}

}  // namespace huitang::srtp
