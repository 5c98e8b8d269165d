// The control plane's one I/O thread: an Asio context behind our own type. Everything of `api` but the
// journal's writer runs on it, so nothing there needs a lock.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "core/time.h"

namespace boost::asio {
class io_context;
}

namespace huitang::api {

class IoLoop {
 public:
  IoLoop();
  ~IoLoop();
  /// Runs until stop(), or until nothing is left to do.
  void run();
  /// From any thread.
  void stop();
  /// From any thread: `work` runs on the loop's thread, in the order posted.
  void post(std::function<void()> work);
  boost::asio::io_context& context() { return *context_; }

 private:
  std::unique_ptr<boost::asio::io_context> context_;
};

/// Calls back once when its instant comes; setting it again replaces it. Destroying it ends it.
class LoopTimer {
 public:
  explicit LoopTimer(IoLoop& loop);
  ~LoopTimer();
  void set(core::Instant at, std::function<void()> then);
  void cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// POSIX signals as calls on the loop.
class LoopSignals {
 public:
  LoopSignals(IoLoop& loop, std::initializer_list<int> signals, std::function<void(int)> on_signal);
  ~LoopSignals();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace huitang::api
