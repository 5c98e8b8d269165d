// RTP header, extensions, RTX: whatever parses must stay inside its bytes and survive a round trip.
#include "core/check.h"
#include "rtp/demux.h"
#include "rtp/extension.h"
#include "rtp/rtx.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const core::Bytes bytes(data, size);
  (void)rtp::classify(bytes);
  if (const auto p = rtp::parse_protected_packet(bytes)) {
    HUITANG_CHECK(p->header_size + p->payload_size == size);
  }
  const auto p = rtp::parse_packet(bytes);
  if (!p) return 0;
  HUITANG_CHECK(size_t{p->header_size} + p->payload_size + p->padding_size == size);
  unsigned sum = 0;
  for (size_t i = 0; i < p->csrc_count; ++i) sum += p->csrc(i);
  rtp::ExtensionReader reader(*p);
  while (const auto e = reader.next()) {
    HUITANG_CHECK(e->offset + e->size <= p->header_size);
    for (const uint8_t b : bytes.subspan(e->offset, e->size)) sum += b;
  }
  const rtp::ExtensionIds ids{1, 2, 3, 4, 5, 6, 7};
  (void)rtp::read_mid(*p, ids);
  (void)rtp::read_rid(*p, ids);
  (void)rtp::read_repaired_rid(*p, ids);
  (void)rtp::read_audio_level(*p, ids);
  (void)rtp::read_transport_cc(*p, ids);
  (void)rtp::read_abs_send_time(*p, ids);
  (void)rtp::read_playout_delay(*p, ids);

  core::Buffer rtx(size + rtp::kRtxOverhead);
  const size_t n = rtp::wrap_rtx(*p, {97, 5}, 9, rtx);
  HUITANG_CHECK(n == size_t{p->header_size} + p->payload_size + rtp::kRtxOverhead);
  const auto back =
      rtp::unwrap_rtx(core::MutableBytes(rtx).first(n), {p->header.payload_type, p->header.ssrc});
  HUITANG_CHECK(back.empty() == (p->payload_size == 0));
  core::Buffer copy(data, data + size);
  (void)rtp::unwrap_rtx(copy, {96, 1});
  return static_cast<int>(sum & 0);
}
