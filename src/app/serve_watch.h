// Tells serve's supervisor how it is: ready, in plain words, and alive while its loop turns and its store answers.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/io_loop.h"
#include "api/server.h"
#include "core/time.h"
#include "net/start_record.h"

namespace huitang::app {

class ServeWatch {
 public:
  /// Both outlive it. `on_check` is called each time it looks.
  ServeWatch(api::IoLoop& loop, api::Server& server, std::function<void()> on_check)
      : server_(server), on_check_(std::move(on_check)), timer_(loop) {}
  /// Once requests are taken: READY=1, and the watchdog from then on.
  void start();
  /// STOPPING=1; the watchdog goes on, for as long as ending takes. The next start need not wait for this end.
  void handle_stop();

 private:
  void check();

  api::Server& server_;
  std::function<void()> on_check_;
  api::LoopTimer timer_;
  core::Duration interval_, store_patience_;
  bool has_watchdog_ = false;
  std::optional<net::StartRecord> record_ = net::StartRecord::of_service("serve");  ///< until it has lived
  core::Instant ready_at_;
  std::string status_;
};

}  // namespace huitang::app
