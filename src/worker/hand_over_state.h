// What a worker is, as plain values, for its continuation in another process of the same machine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/address.h"
#include "core/time.h"
#include "net/send_batch.h"
#include "net/udp_socket.h"
#include "peer/hand_over.h"
#include "rtp/receive_statistics.h"
#include "sfu/state.h"
#include "worker/counters.h"

namespace huitang::worker {

/// A PeerEntry of the worker; what follows from the peer itself is left out.
struct PeerEntryHandOver {
  struct Layer {
    uint32_t ssrc = 0;
    std::optional<rtp::ReceiveStatisticsState> statistics;
  };
  struct Line {
    sfu::SourceNumber source;  ///< 0: not bound
    std::array<Layer, sfu::kMaxLayers> layers;
  };
  peer::PeerHandOver peer;
  std::vector<Line> lines;  ///< parallel to peer.sources
  core::IpAddress local;
  uint16_t transport_number = 0;
  std::optional<core::Duration> round_trip;
  core::Instant next_report;
};

struct WorkerHandOver {
  std::vector<PeerEntryHandOver> peers;
  /// May name receivers and sources of peers that are not among `peers`; restoring lets go of those.
  sfu::ForwarderState forwarder;
  WorkerCounters counters;
  // Of the thread around the worker, which fills them in:
  net::UdpSocket::Counters socket_in;
  net::SendBatch::Counters socket_out;
};

}  // namespace huitang::worker
