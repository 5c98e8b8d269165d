// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "srtp/backend.h"

namespace huitang::srtp::test {

inline core::Buffer from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  core::Buffer out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return out;
}

inline std::string to_hex(core::Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t b : bytes) out += {kDigits[b >> 4], kDigits[b & 15]};
  return out;
}

inline std::vector<BackendKind> available_backends() {
  std::vector<BackendKind> out{BackendKind::OpenSsl};
  if (make_backend(BackendKind::IpsecMb)) out.push_back(BackendKind::IpsecMb);
  return out;
}
inline std::string to_name(BackendKind kind) { return kind == BackendKind::IpsecMb ? "ipsec_mb" : "openssl"; }
inline std::string name_of_backend(const testing::TestParamInfo<BackendKind>& info) {
  return to_name(info.param);
}

inline constexpr Profile kProfiles[] = {Profile::AeadAes128Gcm, Profile::AeadAes256Gcm,
                                        Profile::Aes128CmHmacSha1_80};

inline KeyMaterial make_key(Profile profile, uint64_t seed) {
  KeyMaterial key{profile, {}, {}};
  core::SeededRandom random(seed);
  random.fill(std::span(key.key).first(crypto::srtp_key_size(profile)));
  random.fill(std::span(key.salt).first(crypto::srtp_salt_size(profile)));
  return key;
}

struct RtpShape {
  size_t csrcs = 0;
  size_t extension_words = 0;
  size_t payload = 100;
};

/// A valid RTP packet and the size of its header.
struct RtpPacket {
  core::Buffer bytes;
  size_t header_size = 0;
  core::Bytes header() const { return core::Bytes(bytes).first(header_size); }
  core::Bytes payload() const { return core::Bytes(bytes).subspan(header_size); }
};

inline RtpPacket make_rtp(core::Random& random, uint32_t ssrc, uint16_t seq, RtpShape shape = {}) {
  RtpPacket p;
  p.header_size = 12 + 4 * shape.csrcs + (shape.extension_words ? 4 + 4 * shape.extension_words : 0);
  p.bytes.resize(p.header_size + shape.payload);
  random.fill(p.bytes);
  uint8_t* b = p.bytes.data();
  b[0] = static_cast<uint8_t>(0x80 | (shape.extension_words ? 0x10 : 0) | shape.csrcs);
  b[1] = 96;
  core::store_u16(b + 2, seq);
  core::store_u32(b + 8, ssrc);
  if (shape.extension_words) {
    core::store_u16(b + 12 + 4 * shape.csrcs, 0xbede);
    core::store_u16(b + 14 + 4 * shape.csrcs, static_cast<uint16_t>(shape.extension_words));
  }
  return p;
}

/// A receiver report and an SDES chunk as one compound packet.
inline core::Buffer make_compound_rtcp(core::Random& random, uint32_t ssrc, size_t reports = 1) {
  const size_t rr_words = 2 + 6 * reports;
  core::Buffer b(rr_words * 4 + 20);
  random.fill(b);
  b[0] = static_cast<uint8_t>(0x80 | reports);
  b[1] = 201;
  core::store_u16(b.data() + 2, static_cast<uint16_t>(rr_words - 1));
  core::store_u32(b.data() + 4, ssrc);
  uint8_t* sdes = b.data() + rr_words * 4;
  sdes[0] = 0x81;
  sdes[1] = 202;
  core::store_u16(sdes + 2, 4);
  core::store_u32(sdes + 4, ssrc);
  return b;
}

}  // namespace huitang::srtp::test
