// What a worker counts. Totals; they go on in the process that takes over from this one.
#pragma once

#include <cstdint>

namespace huitang::worker {

struct WorkerCounters {
  uint64_t datagrams_in = 0;
  uint64_t unattributed = 0;   ///< from an unknown address, and no check for a fragment of ours
  uint64_t unbound_media = 0;  ///< media on a line that serve has given no number
  uint64_t malformed_rtcp = 0;
  uint64_t slab_exhausted = 0;  ///< media dropped for want of a buffer
  uint64_t unsealed = 0;        ///< forwarded copies for a peer that cannot send at the moment
  uint64_t packets_sealed = 0;
  uint64_t dropped_events = 0;
  uint64_t refused_full = 0;   ///< peers turned away: the cap, or the load
  uint64_t shed_pictures = 0;  ///< media of pictures left unopened to catch up (IngressGuard)
};

}  // namespace huitang::worker
