// The two clocks, asked once per loop turn by a shell and passed down as values.
#pragma once

#include "core/time.h"

namespace huitang::net {

core::Instant monotonic_now();
core::WallTime wall_now();
/// CPU time that the calling thread has used.
core::Duration thread_cpu_time();

}  // namespace huitang::net
