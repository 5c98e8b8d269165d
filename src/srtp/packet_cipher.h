// The session keys of one packet kind in one direction, expanded, with the IVs they are used under. Private
// to srtp.
#pragma once

#include <memory>

#include "srtp/backend.h"
#include "srtp/key.h"

namespace huitang::srtp {

class PacketCipher {
 public:
  PacketCipher(Backend& backend, const KeyMaterial& master, PacketKind kind);
  PacketCipher(Backend& backend, Profile profile, const SessionKeys& keys);

  /// Exactly one of the two is there, by profile.
  Aead* aead() const { return aead_.get(); }
  CounterMac* counter_mac() const { return counter_mac_.get(); }

  // RFC 7714 sections 8.1 and 9.1. `index` is ROC || SEQ, or the SRTCP index, which has the same place.
  //
  //    0     2           6                 12
  //   +-----+-----------+-----------------+
  //   |00 00|   SSRC    |  48-bit index   |  XOR salt
  //   +-----+-----------+-----------------+
  Aead::Iv aead_iv(uint32_t ssrc, uint64_t index) const {
    Aead::Iv iv = salted_iv<12>();
    add(iv.data() + 2, ssrc, index);
    return iv;
  }

  // RFC 3711 section 4.1.1: the same two bytes further, the last two count blocks.
  //
  //    0           4           8                 14    16
  //   +-----------+-----------+-----------------+-----+
  //   |00 00 00 00|   SSRC    |  48-bit index   |00 00|  XOR salt * 2^16
  //   +-----------+-----------+-----------------+-----+
  CounterMac::Iv counter_iv(uint32_t ssrc, uint64_t index) const {
    CounterMac::Iv iv = salted_iv<16>();
    add(iv.data() + 4, ssrc, index);
    return iv;
  }

 private:
  template <size_t kSize>
  std::array<uint8_t, kSize> salted_iv() const {
    std::array<uint8_t, kSize> iv;
    std::memcpy(iv.data(), salt_.data(), kSize);
    return iv;
  }
  static void add(uint8_t* at, uint32_t ssrc, uint64_t index) {
    core::store_u32(at, core::load_u32(at) ^ ssrc);
    core::store_u16(at + 4, static_cast<uint16_t>(core::load_u16(at + 4) ^ (index >> 32)));
    core::store_u32(at + 6, core::load_u32(at + 6) ^ static_cast<uint32_t>(index));
  }

  std::unique_ptr<Aead> aead_;
  std::unique_ptr<CounterMac> counter_mac_;
  std::array<uint8_t, 16> salt_{};  // 12 or 14 bytes, zeros after
};

inline constexpr size_t kMinRtpHeader = 12;
inline constexpr size_t kRtcpHeader = 8;  // what SRTCP leaves in clear
inline constexpr size_t kRtcpIndexSize = 4;
inline constexpr uint32_t kRtcpEncrypted = 0x8000'0000;
inline constexpr uint64_t kMaxRtpIndex = (uint64_t{1} << 48) - 1;
inline constexpr uint32_t kMaxRtcpIndex = 0x7fff'ffff;

}  // namespace huitang::srtp
