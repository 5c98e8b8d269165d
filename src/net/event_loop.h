// The loop of one thread: epoll for descriptors, an eventfd for other threads, one deadline for timers.
//
// A turn: wait → read the clock → descriptor callbacks → posted tasks → due timers → the turn handler, which
// drains engines, flushes batches and says when it wants to run again. Everything but post(), try_post() and stop()
// belongs to the loop's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "net/unique_fd.h"

namespace huitang::net {

struct Interest {
  bool read = true;
  bool write = false;
};
/// What epoll said; `closed` covers errors and hang-ups, which come unasked.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool closed = false;
};

using TimerId = core::Id<struct TimerTag, uint64_t>;

class EventLoop {
 public:
  using IoHandler = std::function<void(core::Instant now, Readiness)>;
  using Task = std::function<void()>;
  using TimerHandler = std::function<void(core::Instant now)>;
  /// Returns when to be called again at the latest.
  using TurnHandler = std::function<std::optional<core::Instant>(core::Instant now)>;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// The descriptor stays the caller's; unwatch before closing it. Both are safe inside handlers, also for
  /// itself.
  void watch(int fd, Interest interest, IoHandler handler);
  void change(int fd, Interest interest);
  void unwatch(int fd);

  TimerId call_at(core::Instant at, TimerHandler handler);
  TimerId call_after(core::Duration delay, TimerHandler handler) {
    return call_at(now() + delay, std::move(handler));
  }
  /// No effect when it ran already.
  void cancel(TimerId id);

  /// Tasks that may wait. Far beyond what any turn leaves behind: a loop with so many stands still.
  static constexpr size_t kMaxPosted = 1 << 16;
  /// Of them for try_post(); the rest is for what cannot be refused.
  static constexpr size_t kMaxTried = kMaxPosted / 2;

  /// At the end of every turn.
  void set_turn_handler(TurnHandler handler) { turn_ = std::move(handler); }

  /// From any thread; runs in the loop's thread, in order with those of try_post(). For what may never be lost and whose
  /// number its caller bounds (answers to requests that are counted, one question at a time): more than kMaxPosted is a
  /// bug and ends the process.
  void post(Task task);
  /// The same for what somebody else's diligence brings about. False when kMaxTried wait: the task will not run, and the
  /// caller holds it back, refuses or counts it.
  [[nodiscard]] bool try_post(Task task);

  /// The instant of this turn.
  core::Instant now() const { return now_; }

  void run();
  /// One turn, waiting at most `limit`.
  void run_once(core::Duration limit);
  /// From any thread: run() returns after the current turn.
  void stop();

 private:
  struct Watch {
    IoHandler handler;
    bool alive = true;
  };
  bool post_below(size_t cap, Task& task);
  std::optional<core::Instant> next_deadline() const;
  void wait(std::optional<core::Duration> limit);
  void run_posted();
  void run_timers();

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::vector<std::pair<std::shared_ptr<Watch>, Readiness>> ready_;
  std::map<std::pair<core::Instant, uint64_t>, TimerHandler> timers_;
  std::unordered_map<uint64_t, core::Instant> timer_times_;
  uint64_t next_timer_ = 1;
  TurnHandler turn_;
  std::optional<core::Instant> turn_deadline_;
  core::Instant now_;
  std::mutex posted_mutex_;
  std::vector<Task> posted_;
  std::atomic<bool> stopping_{false};
};

}  // namespace huitang::net
