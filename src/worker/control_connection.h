// A client of the control server.
#pragma once

#include <cstdint>
#include <memory>

#include "net/frame_socket.h"
#include "worker/control_server.h"

namespace huitang::worker {

struct ControlServer::Connection {
  uint64_t id = 0;
  std::unique_ptr<net::FrameSocket> socket;
  uint32_t version = 0;  ///< 0 before its hello
};

}  // namespace huitang::worker
