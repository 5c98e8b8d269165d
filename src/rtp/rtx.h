// Retransmission packets (RFC 4588, SSRC multiplexed): the original's payload behind its sequence number
// (OSN), on a stream and payload type of its own.
//
// |  RTP header: SSRC, PT and sequence number of the RTX stream; timestamp and marker of the original  |
// |  OSN (2 bytes)  |  original payload …                                                              |
#pragma once

#include <optional>

#include "rtp/packet.h"

namespace huitang::rtp {

inline constexpr size_t kRtxOverhead = 2;

struct RtxView {
  uint16_t original_sequence_number = 0;
  core::Bytes payload;
};

/// The RTX payload of a packet. Nothing for a payload shorter than the OSN; a probe of padding only has none
/// either.
std::optional<RtxView> parse_rtx_payload(core::Bytes payload);

/// The stream a packet moves to: RTX number space when wrapping, the original's when unwrapping.
struct RtxStream {
  uint8_t payload_type = 0;
  uint32_t ssrc = 0;
};

/// Writes the RTX packet of `original` into `out`: same CSRCs and extensions, padding dropped. Size, or 0 if
/// too small.
size_t wrap_rtx(const PacketView& original, RtxStream rtx, uint16_t rtx_sequence_number,
                core::MutableBytes out);

/// Turns an RTX packet into the original in place: the header moves up by two bytes, the rest stays. The
/// result lies within `packet`; empty when it is no RTX packet with a payload. Padding is removed.
core::MutableBytes unwrap_rtx(core::MutableBytes packet, RtxStream original);

}  // namespace huitang::rtp
