// What a worker holds on account of its peers: gauges, and for telling that nothing is left once they are gone.
#pragma once

#include <cstddef>

#include "sfu/forwarder.h"

namespace huitang::worker {

struct LiveObjects {
  size_t peers = 0;
  size_t addresses = 0;       ///< of clients, in the table of senders
  size_t fragments = 0;       ///< ICE user names, likewise
  size_t bound_sources = 0;   ///< as the worker knows them; the forwarder's are in `media`
  size_t receivers = 0;       ///< whom the worker finds by the forwarder's index
  size_t packet_buffers = 0;  ///< in use
  sfu::ForwarderSizes media;

  /// Nothing is left but tables' free places.
  bool is_empty() const {
    return peers + addresses + fragments + bound_sources + receivers + packet_buffers + media.sources +
               media.owners + media.receivers + media.slots + media.groups + media.history ==
           0;
  }
};

}  // namespace huitang::worker
