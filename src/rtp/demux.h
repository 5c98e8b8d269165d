// Tells apart what shares one port: RFC 7983 by the first byte, RFC 5761 section 4 between RTP and RTCP.
#pragma once

#include <cstdint>

#include "core/bytes.h"

namespace huitang::rtp {

enum class PacketClass : uint8_t { Unknown, Stun, Dtls, Rtp, Rtcp };

/// Looks at the first two bytes only; each parser checks the rest.
constexpr PacketClass classify(core::Bytes datagram) {
  if (datagram.size() < 2) return PacketClass::Unknown;
  const uint8_t first = datagram[0];
  if (first <= 3) return PacketClass::Stun;
  if (first >= 20 && first <= 63) return PacketClass::Dtls;
  if (first < 128 || first > 191) return PacketClass::Unknown;
  const uint8_t type = datagram[1];
  return type >= 192 && type <= 223 ? PacketClass::Rtcp : PacketClass::Rtp;
}

}  // namespace huitang::rtp
