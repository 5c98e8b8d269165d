#include "net/signal_set.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "core/check.h"

namespace huitang::net {

namespace {
sigset_t make_set(const int* signals, size_t count) {
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < count; ++i) sigaddset(&set, signals[i]);
  return set;
}
}  // namespace

SignalSet::SignalSet(EventLoop& loop, std::initializer_list<int> signals, std::function<void(int)> on_signal)
    : loop_(loop), count_(signals.size()), on_signal_(std::move(on_signal)) {
  HUITANG_CHECK(count_ <= std::size(signals_));
  std::copy(signals.begin(), signals.end(), signals_);
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = make_set(signals_, count_);
  HUITANG_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  fd_ = UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  HUITANG_CHECK(fd_);
  loop_.watch(fd_.get(), {}, [this](core::Instant, Readiness) {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
  });
}

SignalSet::~SignalSet() {
  loop_.unwatch(fd_.get());
  const sigset_t set = make_set(signals_, count_);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace huitang::net
