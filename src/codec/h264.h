// H.264 in RTP (RFC 6184): single NAL units, STAP-A and FU-A; what a forwarder needs to know of a packet.
//
//  0 1 2 3 4 5 6 7
// |F|NRI|  type   |   1..23 NAL unit, 24 STAP-A, 28 FU-A
// |S|E|R|  type   |   FU header: start, end, type of the fragmented unit
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::codec {

enum class H264Packing : uint8_t { Single, StapA, FuA };

struct H264Packet {
  H264Packing packing = H264Packing::Single;
  uint8_t nal_type = 0;  ///< of the (first or fragmented) unit
  uint8_t nal_ref_idc = 0;
  bool is_fragment_start = false;  ///< FU-A only
  bool is_fragment_end = false;
  bool has_sps = false;
  bool has_pps = false;
  bool has_idr = false;       ///< an IDR slice, or the first fragment of one
  bool starts_slice = false;  ///< holds the first bytes of a coded slice
  uint16_t width = 0;         ///< from the SPS, when there is one that we understand
  uint16_t height = 0;

  /// A decoder can begin here: parameter sets, or an IDR picture whose sets came before.
  bool is_key_frame_start() const { return has_sps || has_idr; }
};

core::Result<H264Packet, core::ParseError> parse_h264(core::Bytes payload);

struct H264Resolution {
  uint16_t width = 0;
  uint16_t height = 0;
};
/// `sps` starts with the NAL header (type 7). ITU-T H.264 section 7.3.2.1.1.
core::Result<H264Resolution, core::ParseError> parse_h264_sps(core::Bytes sps);

}  // namespace huitang::codec
