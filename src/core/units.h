// Rates and sizes as types.
#pragma once

#include <compare>
#include <cstdint>

#include "core/time.h"

namespace huitang::core {

class ByteCount {
 public:
  constexpr ByteCount() = default;
  explicit constexpr ByteCount(int64_t n) : n_(n) {}
  constexpr int64_t value() const { return n_; }
  friend constexpr auto operator<=>(ByteCount, ByteCount) = default;
  friend constexpr ByteCount operator+(ByteCount a, ByteCount b) { return ByteCount(a.n_ + b.n_); }
  friend constexpr ByteCount operator-(ByteCount a, ByteCount b) { return ByteCount(a.n_ - b.n_); }
  constexpr ByteCount& operator+=(ByteCount b) { return n_ += b.n_, *this; }

 private:
  int64_t n_ = 0;
};

/// Bits per second.
class Bitrate {
 public:
  constexpr Bitrate() = default;
  static constexpr Bitrate bps(int64_t n) { return Bitrate(n); }
  static constexpr Bitrate kbps(int64_t n) { return Bitrate(n * 1000); }
  constexpr int64_t to_bps() const { return bps_; }
  friend constexpr auto operator<=>(Bitrate, Bitrate) = default;
  friend constexpr Bitrate operator+(Bitrate a, Bitrate b) { return Bitrate(a.bps_ + b.bps_); }
  friend constexpr Bitrate operator-(Bitrate a, Bitrate b) { return Bitrate(a.bps_ - b.bps_); }
  friend constexpr Bitrate operator*(Bitrate a, double k) {
    return Bitrate(static_cast<int64_t>(static_cast<double>(a.bps_) * k));
  }

 private:
  explicit constexpr Bitrate(int64_t n) : bps_(n) {}
  int64_t bps_ = 0;
};

/// The rate that carries `bytes` in `span`; zero for an empty span.
constexpr Bitrate rate_of(ByteCount bytes, Duration span) {
  if (span <= Duration()) return Bitrate();
  return Bitrate::bps(static_cast<int64_t>(static_cast<double>(bytes.value()) * 8.0 / span.to_seconds()));
}

}  // namespace huitang::core
