#include "net/clock.h"

#include <ctime>

namespace huitang::net {

namespace {
int64_t read_nanos(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
}  // namespace

core::Instant monotonic_now() { return core::Instant::from_nanos(read_nanos(CLOCK_MONOTONIC)); }
core::Duration thread_cpu_time() { return core::Duration::nanos(read_nanos(CLOCK_THREAD_CPUTIME_ID)); }
core::WallTime wall_now() { return core::WallTime::from_unix_millis(read_nanos(CLOCK_REALTIME) / 1'000'000); }

}  // namespace huitang::net
