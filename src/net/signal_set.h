// POSIX signals as events of a loop. Construct it before other threads start, so that they inherit the
// blocked mask.
#pragma once

#include <functional>
#include <initializer_list>

#include "net/event_loop.h"
#include "net/unique_fd.h"

namespace huitang::net {

class SignalSet {
 public:
  /// Blocks the signals in this thread and delivers them to `on_signal` on the loop. Also ignores SIGPIPE.
  SignalSet(EventLoop& loop, std::initializer_list<int> signals, std::function<void(int signal)> on_signal);
  /// Unblocks them.
  ~SignalSet();
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;

 private:
  EventLoop& loop_;
  UniqueFd fd_;
  std::initializer_list<int>::size_type count_ = 0;
  int signals_[16]{};
  std::function<void(int)> on_signal_;
};

}  // namespace huitang::net
