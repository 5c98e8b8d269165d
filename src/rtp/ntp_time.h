// NTP timestamps (RFC 3550 section 4): 32.32 fixed-point seconds since 1900, and the middle 32 bits
// ("compact").
#pragma once

#include <compare>
#include <cstdint>

#include "core/time.h"

namespace huitang::rtp {

class NtpTime {
 public:
  constexpr NtpTime() = default;
  static constexpr NtpTime from_bits(uint64_t v) { return NtpTime(v); }
  static constexpr NtpTime from_wall(core::WallTime t) {
    return NtpTime(kUnixEpoch << 32) + core::Duration::millis(t.to_unix_millis());
  }
  constexpr uint64_t bits() const { return v_; }
  constexpr uint32_t seconds() const { return static_cast<uint32_t>(v_ >> 32); }
  constexpr uint32_t fraction() const { return static_cast<uint32_t>(v_); }
  /// Middle 32 bits: 16.16 seconds, as LSR and DLSR use them.
  constexpr uint32_t compact() const { return static_cast<uint32_t>(v_ >> 16); }
  constexpr bool is_zero() const { return v_ == 0; }

  friend constexpr auto operator<=>(NtpTime, NtpTime) = default;
  friend constexpr NtpTime operator+(NtpTime t, core::Duration d) { return NtpTime(t.v_ + to_units(d)); }
  /// Right for differences below 68 years.
  friend constexpr core::Duration operator-(NtpTime a, NtpTime b) {
    const auto d = static_cast<int64_t>(a.v_ - b.v_);
    const int64_t seconds = d >> 32;
    const auto fraction = static_cast<uint64_t>(d & 0xffffffff);
    return core::Duration::nanos(seconds * 1'000'000'000 +
                                 static_cast<int64_t>((fraction * 1'000'000'000 + (1ULL << 31)) >> 32));
  }

 private:
  static constexpr uint64_t kUnixEpoch = 2'208'988'800;  // seconds from 1900 to 1970
  explicit constexpr NtpTime(uint64_t v) : v_(v) {}
  static constexpr uint64_t to_units(core::Duration d) {
    int64_t seconds = d.to_nanos() / 1'000'000'000;
    int64_t rest = d.to_nanos() % 1'000'000'000;
    if (rest < 0) {
      rest += 1'000'000'000;
      --seconds;
    }
    return (static_cast<uint64_t>(seconds) << 32) +
           ((static_cast<uint64_t>(rest) << 32) + 500'000'000) / 1'000'000'000;
  }
  uint64_t v_ = 0;
};

/// Gives the NTP time of instants. All streams of one endpoint use the same clock, or lip sync is lost.
class NtpClock {
 public:
  constexpr NtpClock() = default;
  constexpr NtpClock(core::Instant at, core::WallTime wall) : at_(at), ntp_(NtpTime::from_wall(wall)) {}
  /// The clock that says `ntp` at `at`: goes on with another process's.
  constexpr NtpClock(core::Instant at, NtpTime ntp) : at_(at), ntp_(ntp) {}
  constexpr NtpTime at(core::Instant t) const { return ntp_ + (t - at_); }
  constexpr core::Instant instant_of(NtpTime t) const { return at_ + (t - ntp_); }

 private:
  core::Instant at_;
  NtpTime ntp_ = NtpTime::from_wall(core::WallTime());
};

/// 16.16 seconds <-> duration. Durations beyond 65535 s saturate; negative ones become 0.
constexpr uint32_t to_compact(core::Duration d) {
  if (d <= core::Duration()) return 0;
  if (d >= core::Duration::seconds(65535)) return 0xffffffff;
  return static_cast<uint32_t>((static_cast<uint64_t>(d.to_nanos() / 1000) * 65536 + 500'000) / 1'000'000);
}
constexpr core::Duration from_compact(uint32_t v) {
  return core::Duration::nanos(static_cast<int64_t>(static_cast<uint64_t>(v) * 1'000'000'000 / 65536));
}

/// RFC 3550 section 6.4.1: round-trip time from a report block. Nothing known (zero) when LSR is 0; small
/// negative results of unlike clocks become the smallest positive unit.
constexpr core::Duration round_trip_time(NtpTime now, uint32_t last_sr, uint32_t delay_since_last_sr) {
  if (last_sr == 0) return {};
  const auto rtt = static_cast<int32_t>(now.compact() - last_sr - delay_since_last_sr);
  return from_compact(rtt < 1 ? 1U : static_cast<uint32_t>(rtt));
}

}  // namespace huitang::rtp
