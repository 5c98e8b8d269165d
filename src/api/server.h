// One control plane on one box, put together: store, signing key, certificates, conference host, media
// client, HTTPS.
//
// Owned from top to bottom in the order of construction, closed the other way round: sockets, media client,
// host, store.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "api/io_loop.h"
#include "api/metrics.h"
#include "api/page_table.h"
#include "api/settings.h"
#include "core/error.h"
#include "core/result.h"
#include "core/time.h"

namespace huitang::api {

class ClientSockets;
class ConferenceHost;

struct ServerConfig {
  Settings settings;  ///< public_address and media_socket filled in
  std::string version;
  PageTable pages{{}};
  /// Each time no media process answers; starts one where that is our task.
  std::function<void()> on_no_media;
  /// A media process that does not answer any more.
  std::function<void(pid_t)> on_silent_media;
  /// Plain words on why there is no media process at the moment, for /readyz; empty: nothing is known.
  std::function<std::string()> media_trouble;
  // Shortened by tests.
  core::Duration resume_window = core::Duration::seconds(60);
  core::Duration hello_time = core::Duration::seconds(10);
};

struct ServerReady {
  std::string url;         ///< "https://192.0.2.1:8443"
  std::string admin_link;  ///< once, when the secret was just made
  std::string ca_file;     ///< empty with the office's own certificate
};

class Server {
 public:
  Server(IoLoop& loop, ServerConfig config);
  ~Server();

  /// Opens everything on the loop's thread; `done` tells when requests are taken, or why not.
  void start(std::function<void(core::Result<ServerReady, core::Failure>)> done);
  /// Number of the conference for the demo: the one that lives already or a new one.
  void prepare_demo(std::function<void(core::Result<std::string, core::Failure>)> done);
  /// Tells clients to come back later, then (with `end_media`) ends the media process; `done` follows.
  void shut_down(bool end_media, std::function<void()> done);
  bool media_ready() const;
  /// Of the whole box in one line of plain words, without names; for the supervisor.
  std::string status() const;
  /// For how long the store has owed an answer by now; it is asked each second. Zero while it answers.
  core::Duration store_silence() const;
  uint16_t port() const;
  Metrics& metrics();
  ConferenceHost& host();
  ClientSockets& sockets();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace huitang::api
