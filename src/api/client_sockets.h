// The border between WebSocket connections and the conference host: who is told what, in our own types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/address.h"
#include "core/id.h"

namespace huitang::api {

/// Counted per process, never reused.
using SocketId = core::Id<struct SocketTag, uint64_t>;
/// One serialized message for many sockets.
using SharedText = std::shared_ptr<const std::string>;

/// RFC 6455 section 7.4.1; above 4000 our own.
enum class CloseCode : uint16_t {
  Normal = 1000,
  GoingAway = 1001,  ///< serve is ending or restarting: come back
  PolicyViolation = 1008,
  TooBig = 1009,
  TryAgainLater = 1013,  ///< too many requests
  Replaced = 4001,       ///< another socket goes on with this session
  TooSlow = 4002,        ///< the outgoing queue was full: come back and resume
};

/// What a socket stands for; when the box is full, strangers are closed first, then guests, never members.
enum class Standing : uint8_t {
  Stranger,  ///< has shown nothing: no session yet
  Guest,     ///< has a session, on the join page
  Member,    ///< is in a conference
};

/// What the host can do to sockets. Calls never come back into the host before they return.
class ClientSockets {
 public:
  virtual ~ClientSockets() = default;
  virtual void send(SocketId socket, SharedText text) = 0;
  /// Sends what waits, then closes. SocketHandler::handle_closed still follows.
  virtual void close(SocketId socket, CloseCode code) = 0;
  /// A new socket is a Stranger.
  virtual void set_standing(SocketId socket, Standing standing) = 0;
};

/// What sockets tell the host.
class SocketHandler {
 public:
  virtual ~SocketHandler() = default;
  virtual void handle_open(SocketId socket, const core::IpAddress& from) = 0;
  virtual void handle_text(SocketId socket, std::string_view text) = 0;
  /// Last word about this socket.
  virtual void handle_closed(SocketId socket) = 0;
};

}  // namespace huitang::api
