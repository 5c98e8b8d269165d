// What must hold of single values of a ForwarderState, so that sums of them cannot overflow and nothing waits
// for ever.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace huitang::sfu {

/// Of a deadline, and of the difference between two readings of the clock.
inline constexpr core::Duration kFarthestAhead = core::Duration::seconds(60);
/// Extended numbers of incoming streams; a stream does not live to reach it.
inline constexpr int64_t kEndOfIncoming = int64_t{1} << 56;
/// Extended numbers of outgoing streams: what SRTP can seal with.
inline constexpr int64_t kEndOfOutgoing = int64_t{1} << 48;

constexpr bool is_plausible(core::Instant t, core::Instant now) {
  return t >= core::Instant() && t <= now + kFarthestAhead;
}
constexpr bool is_plausible(const std::optional<core::Instant>& t, core::Instant now) {
  return !t || is_plausible(*t, now);
}
constexpr bool is_plausible_wait(core::Duration d) { return d >= core::Duration() && d <= kFarthestAhead; }
constexpr bool is_within(int64_t v, int64_t end) { return v >= 0 && v < end; }
inline bool is_within(double v, double last) { return std::isfinite(v) && v >= 0 && v <= last; }
/// Of rates in bits per second; an estimate that is not bound by anything may be high.
inline constexpr int64_t kEndOfRates = int64_t{1} << 50;
/// Of an enum whose values count up from 0.
template <class E>
constexpr bool is_known(E e, E last) {
  return static_cast<uint64_t>(e) <= static_cast<uint64_t>(last);
}

}  // namespace huitang::sfu
