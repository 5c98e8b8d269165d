// Tells serve's supervisor how it is: ready, in plain words, and alive while its loop turns and its store answers.
#pragma once

#include <string>

#include "api/io_loop.h"
#include "api/server.h"
#include "core/time.h"

namespace huitang::app {

class ServeWatch {
 public:
  /// Both outlive it.
  ServeWatch(api::IoLoop& loop, api::Server& server) : server_(server), timer_(loop) {}
  /// Once requests are taken: READY=1, and the watchdog from then on.
  void start();
  /// STOPPING=1; the watchdog goes on, for as long as ending takes.
  void handle_stop();

 private:
  void check();

  api::Server& server_;
  api::LoopTimer timer_;
  core::Duration interval_;
  bool has_watchdog_ = false;
  bool is_asking_ = false;  ///< a question is with the store
  core::Instant asked_;
  std::string status_;
};

}  // namespace huitang::app
