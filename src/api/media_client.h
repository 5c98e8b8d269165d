// serve's end of the media control protocol: one Unix socket, versioned hello, requests matched with replies,
// events, and reconnecting for as long as serve lives.
//
//   Away ──connect──▶ Greeting ──Welcome, Snapshot──▶ Ready ──closed, broken──▶ Away (20 ms … 2 s)
//
// A node that is there but silent – a greeting or a request unanswered for 10 s, or not one of its two-second
// health reports for as long – is given up, and its process named to whoever may end it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "api/host_ports.h"
#include "api/io_loop.h"
#include "api/metrics.h"

namespace huitang::api {

class MediaClient final : public MediaNode {
 public:
  struct Config {
    std::string socket_path;
    std::string build;
    /// Called each time nothing answers at the path, before the next try.
    std::function<void()> on_nobody;
    /// The process at the other end (as the kernel says, so whoever started it) that does not answer any more.
    std::function<void(pid_t)> on_silent;
  };
  MediaClient(IoLoop& loop, Metrics& metrics, Config config, MediaEvents& events);
  ~MediaClient() override;

  void start();
  bool is_ready() const override;
  void request(v1::MediaMessage message, ReplyHandler on_reply) override;
  /// Asks the node to end in order; `done` follows its answer or its absence.
  void shut_node_down(std::function<void()> done);
  /// No reconnecting from here on.
  void stop();
  const std::string& node_id() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace huitang::api
