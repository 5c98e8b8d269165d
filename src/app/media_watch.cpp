#include "app/media_watch.h"

#include <algorithm>
#include <string>

#include "net/clock.h"
#include "net/service_notify.h"

namespace huitang::app {

namespace {

// Without a watchdog a stuck worker still shows in the log and in the service's status.
constexpr core::Duration kUnwatched = core::Duration::seconds(10);
// Longer than any turn on an overloaded box; a worker silent for this long serves nobody.
constexpr core::Duration kPatience = core::Duration::seconds(5);

}  // namespace

MediaWatch::MediaWatch(net::EventLoop& loop,
                       const std::vector<std::unique_ptr<worker::WorkerThread>>& workers)
    : loop_(loop),
      workers_(workers.size()),
      pulse_(workers.size(), kPatience,
             [&workers](size_t i, std::function<void()> answer) {
               workers[i]->post([answer = std::move(answer)](core::Instant, worker::Worker&) { answer(); });
             }),
      interval_(kUnwatched),
      has_watchdog_(false) {
  if (const auto watchdog = net::watchdog_interval()) {
    has_watchdog_ = true;
    interval_ = std::min(*watchdog / 3, kUnwatched);
  }
  net::notify_service("READY=1\nSTATUS=forwarding, " + std::to_string(workers_) + " workers");
  ready_at_ = net::monotonic_now();
  check(ready_at_);
}

MediaWatch::~MediaWatch() {
  loop_.cancel(timer_);
  if (is_silent_) return;
  if (record_) record_->handle_lived();
  net::notify_service("STOPPING=1\nSTATUS=ending");
}

void MediaWatch::fall_silent() {
  is_silent_ = true;
  loop_.cancel(timer_);
}

void MediaWatch::check(core::Instant now) {
  const size_t stuck = pulse_.check(now);
  if (stuck != stuck_) {
    stuck_ = stuck;
    net::notify_service("STATUS=" + (stuck == 0 ? "forwarding, " + std::to_string(workers_) + " workers"
                                                : std::to_string(stuck) + " of " + std::to_string(workers_) +
                                                      " workers are stuck"));
    if (stuck > 0) log_.error("workers do not answer", {{"stuck", stuck}, {"of", workers_}});
  }
  if (record_ && now - ready_at_ >= net::StartRecord::kLived) {
    record_->handle_lived();
    record_.reset();
  }
  if (has_watchdog_ && stuck == 0) net::notify_service("WATCHDOG=1");
  timer_ = loop_.call_after(interval_, [this](core::Instant t) { check(t); });
}

}  // namespace huitang::app
