// What a service tells the one who supervises it: systemd's notification protocol (sd_notify(3)) without its
// library.
//
// One datagram of NAME=VALUE lines to the Unix socket that $NOTIFY_SOCKET names; a name that begins with '@' is
// in the abstract space. Without the variable nothing happens: the same executable runs under systemd, by hand
// and in tests. Who starts another process for itself to hand over to must leave $WATCHDOG_PID out of its
// environment, or the new one takes the watchdog for somebody else's.
#pragma once

#include <optional>
#include <string_view>

#include "core/time.h"

namespace huitang::net {

/// "READY=1", "STATUS=12 people in 3 conferences", "WATCHDOG=1", "STOPPING=1", "MAINPID=…"; several joined by
/// '\n'. Never blocks and never fails the caller: a supervisor that is away is not a reason to stop serving.
void notify_service(std::string_view state);

/// How often "WATCHDOG=1" is expected from this process, if at all; say it at half of this.
std::optional<core::Duration> watchdog_interval();

}  // namespace huitang::net
