// What a worker keeps beside each peer: its receiver in the forwarder, its bound sources, its streams'
// statistics.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "peer/peer.h"
#include "rtp/receive_statistics.h"
#include "sfu/types.h"
#include "worker/peer_log.h"

namespace huitang::worker {

/// One simulcast layer of a sending line, as heard so far.
struct InboundLayer {
  uint32_t ssrc = 0;  ///< 0: nothing heard yet
  std::optional<rtp::ReceiveStatistics> statistics;
};

/// One sending line of the client, parallel to Peer::sources().
struct InboundLine {
  sfu::SourceHandle source;  ///< invalid until serve binds it
  std::array<InboundLayer, sfu::kMaxLayers> layers;
};

struct PeerEntry {
  static constexpr uint32_t kNoPacket = 0xffffffff;
  /// Receiver reports to senders. RFC 3550 section 6.2 allows less than the 5 s minimum at these rates;
  /// browsers take the round trip and loss of their statistics from them.
  static constexpr core::Duration kReportInterval = core::Duration::seconds(1);

  std::unique_ptr<peer::Peer> peer;
  std::optional<sfu::ReceiverIndex> receiver;
  std::vector<InboundLine> lines;
  std::vector<core::SocketAddress> addresses;  ///< of this peer in the worker's table
  core::IpAddress
      local;  ///< to which the client's checks come, so from which it must hear; zeros: the socket's
  std::vector<std::string> fragments;

  rtp::ExtensionIds extension_ids;  ///< of the last accepted offer
  uint16_t transport_number = 0;    ///< next transport-wide number towards this client
  std::optional<core::Duration> round_trip;

  core::Instant next_report;              ///< receiver report to the client
  std::optional<core::Instant> deadline;  ///< of the peer, as of the last drain
  bool is_touched = false;
  uint32_t first_packet = kNoPacket;  ///< chain in the batch being sent
  uint32_t last_packet = kNoPacket;

  PeerLog log;
};

}  // namespace huitang::worker
