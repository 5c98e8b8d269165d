#include "rtp/rtx.h"

#include <cstring>

namespace huitang::rtp {

std::optional<RtxView> parse_rtx_payload(core::Bytes payload) {
  if (payload.size() < kRtxOverhead) return std::nullopt;
  return RtxView{core::load_u16(payload.data()), payload.subspan(kRtxOverhead)};
}

size_t wrap_rtx(const PacketView& original, RtxStream rtx, uint16_t rtx_sequence_number,
                core::MutableBytes out) {
  const size_t size = original.header_size + kRtxOverhead + original.payload_size;
  if (size > out.size()) return 0;
  std::memcpy(out.data(), original.bytes.data(), original.header_size);
  out[0] &= static_cast<uint8_t>(~0x20);
  set_payload_type(out, rtx.payload_type);
  set_sequence_number(out, rtx_sequence_number);
  set_ssrc(out, rtx.ssrc);
  core::store_u16(out.data() + original.header_size, original.header.sequence_number);
  if (original.payload_size != 0) {
    std::memcpy(out.data() + original.header_size + kRtxOverhead, original.payload().data(),
                original.payload_size);
  }
  return size;
}

core::MutableBytes unwrap_rtx(core::MutableBytes packet, RtxStream original) {
  const auto parsed = parse_packet(packet);
  if (!parsed || parsed->payload_size <= kRtxOverhead) return {};
  const uint16_t number = core::load_u16(packet.data() + parsed->header_size);
  std::memmove(packet.data() + kRtxOverhead, packet.data(), parsed->header_size);
  const auto result = packet.subspan(kRtxOverhead, parsed->header_size + parsed->payload_size - kRtxOverhead);
  result[0] &= static_cast<uint8_t>(~0x20);
  set_payload_type(result, original.payload_type);
  set_sequence_number(result, number);
  set_ssrc(result, original.ssrc);
  return result;
}

}  // namespace huitang::rtp
