// One sending SSRC of a bot with its RTX companion: numbers, header extensions, history for repairs, sender
// report.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "bot/client_transport.h"
#include "core/bytes.h"
#include "core/time.h"
#include "rtp/extension.h"
#include "rtp/ntp_time.h"
#include "rtp/rtcp.h"

namespace huitang::bot {

/// A payload on its way out; numbered when it leaves.
struct OutboundPacket {
  bool marker = false;
  uint32_t timestamp = 0;
  core::Buffer payload;
  std::optional<rtp::AudioLevel> level;
};

/// What is the same for all packets that leave at one moment.
struct Departure {
  core::Instant now;
  uint16_t transport_number = 0;  ///< written when transport-cc is negotiated
  ClientTransport& transport;
};

class OutboundStream {
 public:
  static constexpr size_t kHistory = 512;

  struct Config {
    uint32_t ssrc = 0;
    uint32_t rtx_ssrc = 0;
    uint8_t payload_type = 0;
    std::optional<uint8_t> rtx_payload_type;
    uint32_t clock_rate = 90000;
    uint16_t first_number = 0;  ///< below 2^15, so that early reordering cannot step below zero
    uint16_t first_rtx_number = 0;
    uint32_t timestamp_offset = 0;
    core::Instant origin;  ///< media time zero
    std::string mid;
    std::string rid;
    rtp::ExtensionIds extensions;
  };
  explicit OutboundStream(Config config);

  uint32_t ssrc() const { return config_.ssrc; }
  uint32_t timestamp_at(core::Instant at) const;
  /// Sealed bytes in `out`; 0 when refused.
  size_t seal(const Departure& departure, OutboundPacket packet, core::MutableBytes out);
  /// Packet `number` once more, as RTX. 0 when it is no longer known or there is no RTX.
  size_t seal_again(const Departure& departure, uint16_t number, core::MutableBytes out);
  bool has_sent() const { return packets_ != 0; }
  rtp::SenderInfo report(core::Instant now, const rtp::NtpClock& clock) const;

 private:
  struct Sent {
    uint64_t index = UINT64_MAX;
    OutboundPacket packet;
  };
  struct Place {
    rtp::PacketHeader header;
    uint64_t index = 0;
    bool is_repair = false;
  };
  size_t seal_at(const Departure& departure, const Place& place, const OutboundPacket& packet,
                 core::Bytes payload, core::MutableBytes out) const;

  Config config_;
  uint64_t next_index_;
  uint64_t next_rtx_index_;
  uint64_t packets_ = 0;
  uint64_t octets_ = 0;
  std::array<Sent, kHistory> history_;
};

}  // namespace huitang::bot
