// Where a worker's datagrams go: a socket's batch in the process, a virtual network in the simulator.
#pragma once

#include "core/address.h"
#include "core/bytes.h"

namespace huitang::worker {

class PacketOut {
 public:
  virtual ~PacketOut() = default;
  /// Room for one datagram to `to` (at least 1472 bytes); ended by commit() with its size, 0 to abandon it.
  virtual core::MutableBytes slot(const core::SocketAddress& to) = 0;
  virtual void commit(size_t size) = 0;
  /// Everything committed leaves now.
  virtual void flush() = 0;
};

}  // namespace huitang::worker
