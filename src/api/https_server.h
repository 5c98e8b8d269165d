// TLS, HTTP/1.1 and WebSocket of the control plane, by Boost.Asio and Beast with coroutines; only this file,
// tls_socket and beast_http include Beast. One coroutine reads each connection, one more writes
// each socket.
//
// Limits, all counted (docs/guide/limits.md): connections in all, of strangers and from one address (door.h);
// from the first byte to a session or a whole request 10 s, between requests 10 s; request header 16 kB and
// 100 fields, body 64 kB, answer 30 s; what is read of one peer (tls_socket.cpp); WebSocket messages 400 kB
// after inflation, control frames, outgoing queue 2 MB, silence 20 s.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/certificate.h"
#include "api/client_sockets.h"
#include "api/http.h"
#include "api/io_loop.h"
#include "api/metrics.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::api {

inline constexpr size_t kMaxSocketMessage = 400 * 1024;
inline constexpr size_t kMaxOutgoing = 2 * 1024 * 1024;
inline constexpr std::string_view kSubprotocol = "huitang.v1";

struct HttpsConfig {
  std::string bind_address = "0.0.0.0";
  uint16_t port = 0;
  size_t connections = 4000;
  size_t connections_per_address = 200;
};

class HttpsServer final : public ClientSockets {
 public:
  /// Requests other than `/ws` upgrades. Answers through the function, once.
  using RequestHandler = std::function<void(HttpRequest, ReplyFunction)>;

  HttpsServer(IoLoop& loop, Metrics& metrics, HttpsConfig config);
  ~HttpsServer() override;

  /// Before the loop turns after listen().
  void attach(RequestHandler on_request, SocketHandler& sockets);
  core::Result<void, core::Failure> listen(const TlsIdentity& identity);
  /// New connections get this certificate; open ones keep theirs.
  core::Result<void, core::Failure> use_identity(const TlsIdentity& identity);
  uint16_t port() const;
  /// Takes no more connections; closes all sockets with GoingAway.
  void begin_shutdown();
  size_t open_connections() const;

  void send(SocketId socket, SharedText text) override;
  void close(SocketId socket, CloseCode code) override;
  void set_standing(SocketId socket, Standing standing) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace huitang::api
