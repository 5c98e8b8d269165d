// Where a worker's datagrams go: a socket's batch in the process, a virtual network in the simulator.
#pragma once

#include "core/address.h"
#include "core/bytes.h"

namespace huitang::worker {

class PacketOut {
 public:
  virtual ~PacketOut() = default;
  /// Room for one datagram to `to` (at least 1472 bytes); ended by commit() with its size, 0 to abandon it.
  /// It leaves from `local`, the address that the client talks to; all zeros let the system choose.
  virtual core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress& local) = 0;
  virtual void commit(size_t size) = 0;
  /// Everything committed leaves now.
  virtual void flush() = 0;
};

}  // namespace huitang::worker
