// Tells the media process's supervisor how it is: ready, in plain words, and alive only while each worker turns.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "net/event_loop.h"
#include "net/log.h"
#include "net/start_record.h"
#include "worker/pulse.h"
#include "worker/worker_thread.h"

namespace huitang::app {

class MediaWatch {
 public:
  /// Says READY=1. Loop and workers outlive it; a worker's answers may come later.
  MediaWatch(net::EventLoop& loop, const std::vector<std::unique_ptr<worker::WorkerThread>>& workers);
  /// Says STOPPING=1. An end in order, however soon, is not one that the next start has to wait for.
  ~MediaWatch();
  MediaWatch(const MediaWatch&) = delete;
  MediaWatch& operator=(const MediaWatch&) = delete;

  /// No more words from here on, also not at the end: another process has taken over as the service.
  void fall_silent();

 private:
  void check(core::Instant now);

  net::EventLoop& loop_;
  size_t workers_;
  worker::Pulse pulse_;
  core::Duration interval_;
  bool has_watchdog_;
  bool is_silent_ = false;
  std::optional<net::StartRecord> record_ = net::StartRecord::of_service("media");  ///< until it has lived
  core::Instant ready_at_;
  size_t stuck_ = 0;
  net::TimerId timer_;
  net::Logger log_ = net::root_logger();
};

}  // namespace huitang::app
