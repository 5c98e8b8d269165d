// Names of this folder for the shared SRTP values, and the session keys made from them (RFC 3711
// section 4.3).
#pragma once

#include "crypto/srtp_key.h"

namespace huitang::srtp {

using Profile = crypto::SrtpProfile;
using KeyMaterial = crypto::SrtpKeyMaterial;

/// What one packet kind (RTP or RTCP) of one direction is protected with. `auth` is for AES-CM only.
struct SessionKeys {
  SessionKeys() = default;
  SessionKeys(const SessionKeys&) = default;
  SessionKeys& operator=(const SessionKeys&) = default;
  ~SessionKeys();                    ///< wipes
  std::array<uint8_t, 32> cipher{};  ///< first srtp_key_size bytes
  std::array<uint8_t, 14> salt{};    ///< first srtp_salt_size bytes
  std::array<uint8_t, 20> auth{};
};

enum class PacketKind { Rtp, Rtcp };

/// The key derivation of RFC 3711 section 4.3.1 with a key derivation rate of zero; AES-256 as in RFC 6188,
/// the 12-byte AEAD salt padded as RFC 7714 section 11 says.
SessionKeys derive_session_keys(const KeyMaterial& master, PacketKind kind);

}  // namespace huitang::srtp
