#include "app/serve_watch.h"

#include <algorithm>

#include "net/clock.h"
#include "net/service_notify.h"

namespace huitang::app {

namespace {

constexpr core::Duration kUnwatched = core::Duration::seconds(10);
// A disk may stall that long without anything being lost (running conferences go on); after it, a store that
// does not answer is one that hangs.
constexpr core::Duration kStorePatience = core::Duration::seconds(60);

}  // namespace

void ServeWatch::start() {
  interval_ = kUnwatched;
  if (const auto watchdog = net::watchdog_interval()) {
    has_watchdog_ = true;
    interval_ = std::min(*watchdog / 3, kUnwatched);
  }
  net::notify_service("READY=1");
  check();
}

void ServeWatch::handle_stop() { net::notify_service("STOPPING=1\nSTATUS=ending"); }

void ServeWatch::check() {
  const core::Instant now = net::monotonic_now();
  if (!is_asking_) {
    is_asking_ = true;
    asked_ = now;
    server_.ask_store([this] { is_asking_ = false; });
  }
  if (has_watchdog_ && now - asked_ <= kStorePatience) net::notify_service("WATCHDOG=1");
  if (const std::string status = server_.status(); status != status_) {
    status_ = status;
    net::notify_service("STATUS=" + status);
  }
  timer_.set(now + interval_, [this] { check(); });
}

}  // namespace huitang::app
