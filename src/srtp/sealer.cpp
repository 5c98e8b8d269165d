#include "srtp/sealer.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "srtp/packet_cipher.h"

namespace huitang::srtp {
namespace {

void place_header(core::Bytes header, uint8_t* out) {
  if (header.data() != out) std::memcpy(out, header.data(), header.size());
}

}  // namespace

Sealer::Sealer(Backend& backend, const KeyMaterial& key) : Sealer(backend, SealerState{key, 0}) {}

Sealer::Sealer(Backend& backend, const SealerState& state)
    : key_(state.key),
      rtp_(std::make_unique<PacketCipher>(backend, key_, PacketKind::Rtp)),
      rtcp_(std::make_unique<PacketCipher>(backend, key_, PacketKind::Rtcp)),
      next_rtcp_index_(state.next_rtcp_index) {}

Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() { OPENSSL_cleanse(&key_, sizeof key_); }

bool Sealer::fits(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out) const {
  return header.size() >= kMinRtpHeader && index <= kMaxRtpIndex &&
         out.size() >= header.size() + payload.size() + rtp_overhead();
}

size_t Sealer::seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out) {
  if (!fits(index, header, payload, out)) return 0;
  const uint32_t ssrc = core::load_u32(header.data() + 8);
  const size_t end = header.size() + payload.size();
  place_header(header, out.data());
  uint8_t* body = out.data() + header.size();
  if (Aead* aead = rtp_->aead()) {
    aead->seal(rtp_->aead_iv(ssrc, index), header, payload, body);
  } else {
    CounterMac* cipher = rtp_->counter_mac();
    cipher->crypt(rtp_->counter_iv(ssrc, index), payload, body);
    const CounterMac::Tag tag = cipher->mac(out.first(end), static_cast<uint32_t>(index >> 16));
    std::copy(tag.begin(), tag.end(), out.data() + end);
  }
  return end + rtp_overhead();
}

// RFC 3711 section 3.4 (AES-CM) and RFC 7714 section 9.2 (AEAD); E is always set.
//
//   AES-CM: | header (8) | encrypted | E + index (4) | tag (10) |
//   AEAD:   | header (8) | encrypted | tag (16) | E + index (4) |
size_t Sealer::seal_rtcp(core::Bytes packet, core::MutableBytes out) {
  if (packet.size() < kRtcpHeader || out.size() < packet.size() + rtcp_overhead()) return 0;
  if (next_rtcp_index_ > kMaxRtcpIndex) return 0;
  const uint32_t index = next_rtcp_index_++;
  const uint32_t ssrc = core::load_u32(packet.data() + 4);
  const core::Bytes plain = packet.subspan(kRtcpHeader);
  place_header(packet.first(kRtcpHeader), out.data());
  if (Aead* aead = rtcp_->aead()) {
    std::array<uint8_t, kRtcpHeader + kRtcpIndexSize> aad;
    std::memcpy(aad.data(), packet.data(), kRtcpHeader);
    core::store_u32(aad.data() + kRtcpHeader, kRtcpEncrypted | index);
    aead->seal(rtcp_->aead_iv(ssrc, index), aad, plain, out.data() + kRtcpHeader);
    core::store_u32(out.data() + packet.size() + kAeadTagSize, kRtcpEncrypted | index);
  } else {
    CounterMac* cipher = rtcp_->counter_mac();
    cipher->crypt(rtcp_->counter_iv(ssrc, index), plain, out.data() + kRtcpHeader);
    core::store_u32(out.data() + packet.size(), kRtcpEncrypted | index);
    const CounterMac::Tag tag = cipher->mac(out.first(packet.size() + kRtcpIndexSize));
    std::copy(tag.begin(), tag.end(), out.data() + packet.size() + kRtcpIndexSize);
  }
  return packet.size() + rtcp_overhead();
}

void seal_rtp_batch(Backend& backend, std::span<SealJob> jobs) {
  static constexpr size_t kRun = 64;
  std::array<CounterMacJob, kRun> run;
  size_t n = 0;
  for (SealJob& job : jobs) {
    Sealer& sealer = *job.sealer;
    if (crypto::is_aead(sealer.profile())) {
      job.size = sealer.seal_rtp(job.index, job.header, job.payload, job.out);
      continue;
    }
    job.size = 0;
    if (!sealer.fits(job.index, job.header, job.payload, job.out)) continue;
    place_header(job.header, job.out.data());
    const PacketCipher& cipher = *sealer.rtp_;
    run[n++] = {cipher.counter_mac(), cipher.counter_iv(core::load_u32(job.header.data() + 8), job.index),
                job.payload,          job.out.data(),
                job.header.size(),    static_cast<uint32_t>(job.index >> 16)};
    job.size = job.header.size() + job.payload.size() + kMacTagSize;
    if (n == kRun) backend.protect(run), n = 0;
  }
  backend.protect(std::span(run).first(n));
}

}  // namespace huitang::srtp
