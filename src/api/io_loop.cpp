#include "api/io_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace huitang::api {

namespace asio = boost::asio;

IoLoop::IoLoop() : context_(std::make_unique<asio::io_context>(1)) {}
IoLoop::~IoLoop() = default;

void IoLoop::run() {
  const auto guard = asio::make_work_guard(*context_);
  context_->run();
}

void IoLoop::stop() { context_->stop(); }

void IoLoop::post(std::function<void()> work) { asio::post(*context_, std::move(work)); }

struct LoopTimer::Impl {
  explicit Impl(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  uint64_t turn = 0;  ///< a callback that was already queued when the timer was set again must not run
};

LoopTimer::LoopTimer(IoLoop& loop) : impl_(std::make_shared<Impl>(loop.context())) {}
LoopTimer::~LoopTimer() { cancel(); }

void LoopTimer::set(core::Instant at, std::function<void()> then) {
  const uint64_t turn = ++impl_->turn;
  // net::monotonic_now and steady_clock are both CLOCK_MONOTONIC.
  impl_->timer.expires_at(asio::steady_timer::time_point(std::chrono::nanoseconds(at.to_nanos())));
  impl_->timer.async_wait(
      [weak = std::weak_ptr(impl_), turn, then = std::move(then)](boost::system::error_code error) {
        const std::shared_ptr<Impl> impl = weak.lock();
        if (!error && impl && impl->turn == turn) then();
      });
}

void LoopTimer::cancel() {
  ++impl_->turn;
  impl_->timer.cancel();
}

struct LoopSignals::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, std::function<void(int)> handler)
      : set(context), on_signal(std::move(handler)) {}
  void wait() {
    set.async_wait([weak = weak_from_this()](boost::system::error_code error, int signal) {
      const std::shared_ptr<Impl> impl = weak.lock();
      if (error || !impl) return;
      impl->on_signal(signal);
      impl->wait();
    });
  }
  asio::signal_set set;
  std::function<void(int)> on_signal;
};

LoopSignals::LoopSignals(IoLoop& loop, std::initializer_list<int> signals, std::function<void(int)> on_signal)
    : impl_(std::make_shared<Impl>(loop.context(), std::move(on_signal))) {
  for (const int signal : signals) impl_->set.add(signal);
  impl_->wait();
}

LoopSignals::~LoopSignals() { impl_->set.cancel(); }

}  // namespace huitang::api
