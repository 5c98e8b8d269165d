#include "app/serve_watch.h"

#include <algorithm>

#include "net/clock.h"
#include "net/service_notify.h"

namespace huitang::app {

namespace {

constexpr core::Duration kUnwatched = core::Duration::seconds(10);
// In intervals of the watchdog (30 s by the unit). A disk may stall that long without anything being lost (running
// conferences go on); after it, a store that does not answer is one that hangs.
constexpr int kStorePatience = 2;

}  // namespace

void ServeWatch::start() {
  interval_ = kUnwatched;
  if (const auto watchdog = net::watchdog_interval()) {
    has_watchdog_ = true;
    store_patience_ = *watchdog * kStorePatience;
    interval_ = std::min(*watchdog / 3, kUnwatched);
  }
  net::notify_service("READY=1");
  ready_at_ = net::monotonic_now();
  check();
}

void ServeWatch::handle_stop() {
  if (record_) record_->handle_lived();
  record_.reset();
  net::notify_service("STOPPING=1\nSTATUS=ending");
}

void ServeWatch::check() {
  const core::Instant now = net::monotonic_now();
  on_check_();
  if (record_ && now - ready_at_ >= net::StartRecord::kLived) {
    record_->handle_lived();
    record_.reset();
  }
  if (has_watchdog_ && server_.store_silence() <= store_patience_) net::notify_service("WATCHDOG=1");
  if (const std::string status = server_.status(); status != status_) {
    status_ = status;
    net::notify_service("STATUS=" + status);
  }
  timer_.set(now + interval_, [this] { check(); });
}

}  // namespace huitang::app
