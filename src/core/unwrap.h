// Extends wrapping counters (RTP sequence numbers, timestamps, transport-wide numbers) to 64 bits.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

namespace huitang::core {

/// True when `a` lies ahead of `b` by less than half the range (RFC 1982 serial arithmetic).
template <class U>
constexpr bool is_newer(U a, U b) {
  static_assert(std::is_unsigned_v<U>);
  return a != b && static_cast<U>(a - b) < (static_cast<U>(1) << (std::numeric_limits<U>::digits - 1));
}

/// Keeps the last unwrapped value; each new input is taken as the nearest value to it, forward or backward.
template <class U>
class Unwrapper {
 public:
  /// The first value maps to itself plus one range, so that earlier packets stay positive.
  constexpr int64_t unwrap(U v) {
    const int64_t result = peek(v);
    last_ = result;
    started_ = true;
    return result;
  }
  constexpr int64_t peek(U v) const {
    if (!started_) return static_cast<int64_t>(v) + (int64_t{1} << std::numeric_limits<U>::digits);
    using S = std::make_signed_t<U>;
    return last_ + static_cast<S>(static_cast<U>(v - static_cast<U>(last_)));
  }
  constexpr bool has_started() const { return started_; }
  constexpr int64_t last() const { return last_; }
  /// As if `last` had been unwrapped before.
  constexpr void resume(int64_t last) {
    last_ = last;
    started_ = true;
  }

 private:
  int64_t last_ = 0;
  bool started_ = false;
};

}  // namespace huitang::core
