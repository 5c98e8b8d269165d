#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "core/check.h"
#include "net/clock.h"

namespace huitang::net {

namespace {

uint32_t to_epoll(Interest interest) {
  return (interest.read ? EPOLLIN | EPOLLRDHUP : 0u) | (interest.write ? EPOLLOUT : 0u);
}

/// Waits to the nanosecond, so that pacing is not rounded to milliseconds; kernels before 5.11 only know
/// those.
int wait_for_events(int epoll, std::span<epoll_event> events, std::optional<core::Duration> limit) {
  static std::atomic<bool> has_precise_wait{true};
  const int room = static_cast<int>(events.size());
  const core::Duration wait =
      std::clamp(limit.value_or(core::Duration()), core::Duration(), core::Duration::seconds(3600));
  if (has_precise_wait) {
    const timespec precise{wait.to_nanos() / 1'000'000'000, wait.to_nanos() % 1'000'000'000};
    const int n = ::epoll_pwait2(epoll, events.data(), room, limit ? &precise : nullptr, nullptr);
    if (n >= 0 || errno != ENOSYS) return n;
    has_precise_wait = false;
  }
  const auto rounded_up = static_cast<int>((wait + core::Duration::nanos(999'999)).to_millis());
  return ::epoll_wait(epoll, events.data(), room, limit ? rounded_up : -1);
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(monotonic_now()) {
  HUITANG_CHECK(epoll_ && wake_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  HUITANG_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

EventLoop::~EventLoop() = default;

void EventLoop::watch(int fd, Interest interest, IoHandler handler) {
  epoll_event event{};
  event.events = to_epoll(interest);
  event.data.fd = fd;
  HUITANG_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  watches_[fd] = std::make_shared<Watch>(Watch{std::move(handler)});
}

void EventLoop::change(int fd, Interest interest) {
  epoll_event event{};
  event.events = to_epoll(interest);
  event.data.fd = fd;
  HUITANG_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) return;
  it->second->alive = false;  // one that is ready in this very turn is skipped
  watches_.erase(it);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

TimerId EventLoop::call_at(core::Instant at, TimerHandler handler) {
  const uint64_t id = next_timer_++;
  timers_.emplace(std::pair(at, id), std::move(handler));
  timer_times_.emplace(id, at);
  return TimerId(id);
}

void EventLoop::cancel(TimerId id) {
  const auto it = timer_times_.find(id.value());
  if (it == timer_times_.end()) return;
  timers_.erase({it->second, id.value()});
  timer_times_.erase(it);
}

void EventLoop::post(Task task) { HUITANG_CHECK(post_below(kMaxPosted, task)); }

bool EventLoop::try_post(Task task) { return post_below(kMaxTried, task); }

bool EventLoop::post_below(size_t cap, Task& task) {
  bool was_empty;
  {
    const std::lock_guard lock(posted_mutex_);
    if (posted_.size() >= cap) return false;
    was_empty = posted_.empty();
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  if (was_empty) [[maybe_unused]]
    const auto n = ::write(wake_.get(), &one, sizeof one);
  return true;
}

void EventLoop::stop() {
  stopping_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

std::optional<core::Instant> EventLoop::next_deadline() const {
  if (timers_.empty()) return turn_deadline_;
  const core::Instant timer = timers_.begin()->first.first;
  return turn_deadline_ ? std::min(*turn_deadline_, timer) : timer;
}

void EventLoop::wait(std::optional<core::Duration> limit) {
  epoll_event events[64];
  const int n = wait_for_events(epoll_.get(), events, limit);
  now_ = monotonic_now();
  ready_.clear();
  for (int i = 0; i < n; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_.get()) {
      uint64_t count;
      [[maybe_unused]] const auto bytes = ::read(fd, &count, sizeof count);
      continue;
    }
    const auto it = watches_.find(fd);
    if (it == watches_.end()) continue;
    const uint32_t e = events[i].events;
    ready_.emplace_back(it->second, Readiness{.readable = (e & EPOLLIN) != 0,
                                              .writable = (e & EPOLLOUT) != 0,
                                              .closed = (e & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0});
  }
}

void EventLoop::run_posted() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

/// Only timers due at the start: one that re-arms itself for now runs in the next turn.
void EventLoop::run_timers() {
  const uint64_t newest = next_timer_;
  while (!timers_.empty()) {
    const auto it = timers_.begin();
    if (it->first.first > now_ || it->first.second >= newest) return;
    TimerHandler handler = std::move(it->second);
    timer_times_.erase(it->first.second);
    timers_.erase(it);
    handler(now_);
  }
}

void EventLoop::run_once(core::Duration limit) {
  std::optional<core::Duration> wait_for =
      limit == core::Duration::max() ? std::nullopt : std::optional(limit);
  if (const auto deadline = next_deadline()) {
    const core::Duration until = *deadline - monotonic_now();
    wait_for = wait_for ? std::min(*wait_for, until) : until;
  }
  wait(wait_for);
  for (auto& [watch, readiness] : ready_)
    if (watch->alive) watch->handler(now_, readiness);
  ready_.clear();
  run_posted();
  run_timers();
  if (turn_) turn_deadline_ = turn_(now_);
}

void EventLoop::run() {
  while (!stopping_) run_once(core::Duration::max());
  stopping_ = false;
}

}  // namespace huitang::net
