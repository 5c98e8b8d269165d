// Instants, durations and wall-clock time as three types that do not mix.
//
// `now` is read once per loop turn by a shell and passed down as an Instant; nothing below a shell asks a clock.
#pragma once

#include <compare>
#include <cstdint>

namespace huitang::core {

/// A span of time, nanoseconds inside; may be negative.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration nanos(int64_t n) { return Duration(n); }
  static constexpr Duration micros(int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration millis(int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(int64_t n) { return Duration(n * 1'000'000'000); }
  static constexpr Duration seconds_f(double s) { return Duration(static_cast<int64_t>(s * 1e9)); }
  static constexpr Duration max() { return Duration(INT64_MAX); }

  constexpr int64_t to_nanos() const { return ns_; }
  constexpr int64_t to_micros() const { return ns_ / 1'000; }
  constexpr int64_t to_millis() const { return ns_ / 1'000'000; }
  constexpr double to_seconds() const { return static_cast<double>(ns_) / 1e9; }

  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return Duration(a.ns_ + b.ns_); }
  friend constexpr Duration operator-(Duration a, Duration b) { return Duration(a.ns_ - b.ns_); }
  friend constexpr Duration operator-(Duration a) { return Duration(-a.ns_); }
  friend constexpr Duration operator*(Duration a, int64_t k) { return Duration(a.ns_ * k); }
  friend constexpr Duration operator*(int64_t k, Duration a) { return Duration(a.ns_ * k); }
  friend constexpr Duration operator/(Duration a, int64_t k) { return Duration(a.ns_ / k); }
  friend constexpr int64_t operator/(Duration a, Duration b) { return a.ns_ / b.ns_; }
  constexpr Duration& operator+=(Duration d) { return ns_ += d.ns_, *this; }
  constexpr Duration& operator-=(Duration d) { return ns_ -= d.ns_, *this; }

 private:
  explicit constexpr Duration(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

/// A point on the monotonic clock; only differences mean anything.
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_nanos(int64_t ns) { return Instant(ns); }
  static constexpr Instant far_future() { return Instant(INT64_MAX); }
  constexpr int64_t to_nanos() const { return ns_; }

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) { return Instant(t.ns_ + d.to_nanos()); }
  friend constexpr Instant operator-(Instant t, Duration d) { return Instant(t.ns_ - d.to_nanos()); }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration::nanos(a.ns_ - b.ns_); }
  constexpr Instant& operator+=(Duration d) { return ns_ += d.to_nanos(), *this; }

 private:
  explicit constexpr Instant(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

/// Civil time: milliseconds since the Unix epoch, UTC. For people and records, never for measuring spans.
class WallTime {
 public:
  constexpr WallTime() = default;
  static constexpr WallTime from_unix_millis(int64_t ms) { return WallTime(ms); }
  constexpr int64_t to_unix_millis() const { return ms_; }
  friend constexpr auto operator<=>(WallTime, WallTime) = default;

 private:
  explicit constexpr WallTime(int64_t ms) : ms_(ms) {}
  int64_t ms_ = 0;
};

}  // namespace huitang::core
