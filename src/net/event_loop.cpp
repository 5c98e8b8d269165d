#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace huitang::net {

namespace {

core::Failure last_failure(const char* context) {
  return core::Failure{std::error_code(errno, std::generic_category()), context};
}

/// Milliseconds for epoll_wait, rounded up so that a deadline is never busy-waited for; -1 = no limit.
int timeout_ms(core::Instant now, core::Instant deadline) {
  if (deadline == core::Instant::far_future()) return -1;
  if (deadline <= now) return 0;
  const int64_t ms = (deadline - now + core::Duration::nanos(999'999)).to_millis();
  return static_cast<int>(std::min<int64_t>(ms, 60'000));
}

}  // namespace

core::Result<std::unique_ptr<EventLoop>, core::Failure> EventLoop::make() {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return core::err(last_failure("create epoll"));
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.is_open()) return core::err(last_failure("create eventfd"));
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = wake.get();
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &e) != 0)
    return core::err(last_failure("watch eventfd"));
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(wake)));
}

EventLoop::EventLoop(Fd epoll, Fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

void EventLoop::watch(int fd, Callback on_ready) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLRDHUP;
  e.data.fd = fd;
  HUITANG_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0);
  watches_[fd] = Watch{std::make_shared<Callback>(std::move(on_ready))};
}

void EventLoop::set_want_write(int fd, bool want_write) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLRDHUP;
  if (want_write) e.events |= EPOLLOUT;
  e.data.fd = fd;
  HUITANG_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &e) == 0);
}

void EventLoop::unwatch(int fd) {
  if (watches_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::post(Work work) {
  bool was_empty;
  {
    std::lock_guard lock(mail_mutex_);
    was_empty = mail_.empty();
    mail_.push_back(std::move(work));
  }
  if (!was_empty) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::stop() {
  stopped_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::drain_mail() {
  uint64_t count;
  [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
  {
    std::lock_guard lock(mail_mutex_);
    mail_running_.swap(mail_);
  }
  for (Work& work : mail_running_) work();
  mail_running_.clear();
}

bool EventLoop::turn(core::Instant now, core::Instant deadline) {
  epoll_event events[64];
  const int n = ::epoll_wait(epoll_.get(), events, 64, timeout_ms(now, deadline));
  for (int i = 0; i < n; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_.get()) {
      drain_mail();
      continue;
    }
    const auto it = watches_.find(fd);
    if (it == watches_.end()) continue;  // removed by an earlier callback of this turn
    const std::shared_ptr<Callback> on_ready =
        it->second.on_ready;  // keeps it alive should it unwatch itself
    const uint32_t ev = events[i].events;
    (*on_ready)(Ready{.readable = (ev & EPOLLIN) != 0,
                      .writable = (ev & EPOLLOUT) != 0,
                      .hung_up = (ev & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0});
  }
  return !stopped_;
}

}  // namespace huitang::net
