// The Opener against arbitrary datagrams: raw ones, and sealed ones changed by the input, so that paths
// behind the authentication are reached too. Byte 0 picks profile and back-end, then each step takes its own
// bytes.
#include <algorithm>

#include "core/check.h"
#include "srtp/opener.h"
#include "srtp/sealer.h"

using namespace huitang;

namespace {

struct Setup {
  std::unique_ptr<srtp::Backend> backend;
  srtp::KeyMaterial key;
};

const Setup& setup(uint8_t choice) {
  static const std::vector<Setup> all = [] {
    std::vector<Setup> out;
    for (const auto kind : {srtp::BackendKind::OpenSsl, srtp::BackendKind::IpsecMb}) {
      for (const auto profile :
           {srtp::Profile::AeadAes128Gcm, srtp::Profile::AeadAes256Gcm, srtp::Profile::Aes128CmHmacSha1_80}) {
        auto backend = srtp::make_backend(kind);
        if (backend) out.push_back({std::move(backend), {profile, {1, 2, 3}, {4, 5, 6}}});
      }
    }
    return out;
  }();
  return all[choice % all.size()];
}

/// RTP or RTCP of the input's making, sealed, then one byte changed when the input says so.
void step(srtp::Sealer& sealer, srtp::Opener& opener, core::ByteReader& in) {
  const uint8_t what = in.u8();
  const uint32_t ssrc = in.u8() % 8;
  const uint64_t index = in.u24();
  const uint16_t change = in.u16();
  const core::Bytes body = in.take(std::min<size_t>(in.remaining(), what >> 3));
  core::Buffer packet(12 + body.size() + srtp::kMaxRtcpOverhead);
  const bool rtcp = what & 1;
  core::Buffer plain(12);
  plain[0] = 0x80;
  plain[1] = rtcp ? 201 : 96;
  core::store_u16(plain.data() + 2, static_cast<uint16_t>(index));
  core::store_u32(plain.data() + (rtcp ? 4 : 8), ssrc);
  plain.insert(plain.end(), body.begin(), body.end());
  packet.resize(
      rtcp ? sealer.seal_rtcp(plain, packet)
           : sealer.seal_rtp(index, core::Bytes(plain).first(12), core::Bytes(plain).subspan(12), packet));
  const bool changed = what & 2;
  if (changed) packet[change % packet.size()] ^= static_cast<uint8_t>(1 + (change >> 8) % 255);
  const core::Buffer sealed = packet;
  const uint32_t read_ssrc = core::load_u32(packet.data() + 8);
  const auto result = rtcp ? opener.open_rtcp(packet)
                           : opener.open_rtp(packet, 12, read_ssrc, core::load_u16(packet.data() + 2));
  if (!result.has_value()) return;
  HUITANG_CHECK(!changed && *result == plain.size());
  packet.resize(*result);
  HUITANG_CHECK(packet == plain);
  core::Buffer again = sealed;
  HUITANG_CHECK(!(rtcp ? opener.open_rtcp(again)
                       : opener.open_rtp(again, 12, read_ssrc, core::load_u16(again.data() + 2)))
                     .has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  core::ByteReader in({data, size});
  const Setup& s = setup(in.u8());
  srtp::OpenerConfig config;
  config.max_sources = 4;
  srtp::Opener opener(*s.backend, s.key, config);
  srtp::Sealer sealer(*s.backend, s.key);

  core::Buffer raw(in.rest().begin(), in.rest().end());
  const size_t header = raw.empty() ? 0 : raw[0];
  HUITANG_CHECK(!opener.open_rtp(raw, header, 1, 1).has_value());
  raw.assign(in.rest().begin(), in.rest().end());
  HUITANG_CHECK(!opener.open_rtcp(raw).has_value());
  while (!in.failed() && in.remaining() > 0) step(sealer, opener, in);
  HUITANG_CHECK(opener.source_count() <= 4);
  return 0;
}
