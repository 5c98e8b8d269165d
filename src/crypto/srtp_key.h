// SRTP protection profiles and master keys: what a DTLS handshake yields and what `srtp` starts from. Plain
// values, here because both folders need them and neither may include the other.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.h"

namespace huitang::crypto {

/// Values are those of the DTLS-SRTP registry (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
enum class SrtpProfile : uint16_t {
  Aes128CmHmacSha1_80 = 0x0001,
  AeadAes128Gcm = 0x0007,
  AeadAes256Gcm = 0x0008,
};

constexpr bool is_aead(SrtpProfile p) { return p != SrtpProfile::Aes128CmHmacSha1_80; }
constexpr size_t srtp_key_size(SrtpProfile p) { return p == SrtpProfile::AeadAes256Gcm ? 32 : 16; }
constexpr size_t srtp_salt_size(SrtpProfile p) { return is_aead(p) ? 12 : 14; }
/// What sealing adds to an RTP packet.
constexpr size_t srtp_tag_size(SrtpProfile p) { return is_aead(p) ? 16 : 10; }

constexpr const char* to_string(SrtpProfile p) {
  switch (p) {
    case SrtpProfile::Aes128CmHmacSha1_80: return "SRTP_AES128_CM_HMAC_SHA1_80";
    case SrtpProfile::AeadAes128Gcm: return "SRTP_AEAD_AES_128_GCM";
    case SrtpProfile::AeadAes256Gcm: return "SRTP_AEAD_AES_256_GCM";
  }
  return "?";
}

/// Master key and salt of one direction. Only the first srtp_key_size / srtp_salt_size bytes count.
struct SrtpKeyMaterial {
  SrtpProfile profile = SrtpProfile::AeadAes128Gcm;
  std::array<uint8_t, 32> key{};
  std::array<uint8_t, 14> salt{};

  core::Bytes key_bytes() const { return core::Bytes(key).first(srtp_key_size(profile)); }
  core::Bytes salt_bytes() const { return core::Bytes(salt).first(srtp_salt_size(profile)); }
  friend bool operator==(const SrtpKeyMaterial&, const SrtpKeyMaterial&) = default;
};

}  // namespace huitang::crypto
