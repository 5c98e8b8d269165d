// One datagram that an engine wants sent. For control traffic (STUN, DTLS); media goes through batches of the caller.
#pragma once

#include "core/address.h"
#include "core/bytes.h"

namespace huitang::core {

struct Transmit {
  SocketAddress to;
  Buffer bytes;
};

}  // namespace huitang::core
