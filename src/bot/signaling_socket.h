// The WebSocket of a bot: TLS, the subprotocol, proto3 JSON (DESIGN.md section 6). A shell; it decides
// nothing.
//
// Boost.Beast stays behind this type. All calls and callbacks belong to the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "huitang/v1/signaling.pb.h"

namespace boost::asio {
class io_context;
}

namespace huitang::bot {

struct SignalingUrl {
  std::string host;
  std::string port = "443";
};

/// Whom to trust: the system's authorities, those of a file, or anyone (tests).
struct SignalingTrust {
  bool accepts_anyone = false;
  std::string ca_file;
};

class SignalingSocket {
 public:
  struct Handlers {
    std::function<void()> on_open;
    std::function<void(const v1::ServerMessage&)> on_message;
    /// Once, whatever the cause; nothing comes after it.
    std::function<void(const std::string& reason)> on_closed;
  };
  static constexpr size_t kMaxMessage = 1 << 20;

  /// Begins to connect.
  SignalingSocket(boost::asio::io_context& context, const SignalingUrl& url, const SignalingTrust& trust,
                  Handlers handlers);
  /// Closes without a callback.
  ~SignalingSocket();
  SignalingSocket(const SignalingSocket&) = delete;
  SignalingSocket& operator=(const SignalingSocket&) = delete;

  void send(const v1::ClientMessage& message);
  /// Says goodbye once everything is written; on_closed follows.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace huitang::bot
