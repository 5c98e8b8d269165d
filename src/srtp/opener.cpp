#include "srtp/opener.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "srtp/packet_cipher.h"

namespace huitang::srtp {

const char* to_string(SrtpError error) {
  switch (error) {
    case SrtpError::Truncated: return "truncated";
    case SrtpError::Replayed: return "replayed";
    case SrtpError::BadTag: return "bad tag";
    case SrtpError::TooManySources: return "too many sources";
    case SrtpError::Unencrypted: return "unencrypted";
  }
  return "?";
}

uint64_t estimate_index(uint64_t highest, uint16_t seq) {
  const auto newest = static_cast<uint16_t>(highest);
  const uint64_t roc = highest >> 16;
  uint64_t guess = roc;
  if (newest < 0x8000) {
    // A number far ahead belongs to the round before, unless there was none.
    if (seq - newest > 0x8000 && roc > 0) guess = roc - 1;
  } else if (newest - 0x8000 > seq) {
    guess = roc + 1;
  }
  return guess << 16 | seq;
}

Opener::SourceTable::SourceTable(uint32_t max_sources) {
  ssrcs.reserve(max_sources);
  windows.reserve(max_sources);
}

const ReplayWindow* Opener::SourceTable::find(uint32_t ssrc) const {
  const auto at = std::find(ssrcs.begin(), ssrcs.end(), ssrc);
  return at == ssrcs.end() ? nullptr : &windows[static_cast<size_t>(at - ssrcs.begin())];
}

ReplayWindow* Opener::SourceTable::find(uint32_t ssrc) {
  return const_cast<ReplayWindow*>(std::as_const(*this).find(ssrc));
}

Opener::Opener(Backend& backend, const KeyMaterial& key, const OpenerConfig& config)
    : key_(key),
      config_(config),
      rtp_(std::make_unique<PacketCipher>(backend, key_, PacketKind::Rtp)),
      rtcp_(std::make_unique<PacketCipher>(backend, key_, PacketKind::Rtcp)),
      rtp_sources_(config.max_sources),
      rtcp_sources_(config.max_sources) {}

Opener::Opener(Backend& backend, const OpenerState& state, const OpenerConfig& config)
    : Opener(backend, state.key, config) {
  const auto restore = [&](SourceTable& sources, const std::vector<OpenerState::Window>& from,
                           uint32_t size) {
    for (const OpenerState::Window& window : from) {
      if (sources.ssrcs.size() == config_.max_sources) return;
      sources.ssrcs.push_back(window.ssrc);
      sources.windows.emplace_back(size).restore(window.highest, window.seen);
    }
  };
  restore(rtp_sources_, state.rtp, config_.rtp_window);
  restore(rtcp_sources_, state.rtcp, config_.rtcp_window);
  counters_ = state.counters;
}

Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;
Opener::~Opener() { OPENSSL_cleanse(&key_, sizeof key_); }

core::Result<size_t, SrtpError> Opener::open_rtp(core::MutableBytes packet, size_t header_size, uint32_t ssrc,
                                                 uint16_t seq) {
  const size_t tag_size = crypto::srtp_tag_size(key_.profile);
  if (header_size < kMinRtpHeader || packet.size() < tag_size || packet.size() - tag_size < header_size) {
    return refuse(SrtpError::Truncated);
  }
  ReplayWindow* window = rtp_sources_.find(ssrc);
  const uint64_t index = window ? estimate_index(window->highest(), seq) : seq;
  if (index > kMaxRtpIndex || (window && !window->would_accept(index))) return refuse(SrtpError::Replayed);
  if (!open_rtp_bytes(packet, header_size, ssrc, index)) return refuse(SrtpError::BadTag);
  if (!remember(rtp_sources_, window, ssrc, index, config_.rtp_window))
    return refuse(SrtpError::TooManySources);
  ++counters_.opened;
  return packet.size() - tag_size;
}

bool Opener::open_rtp_bytes(core::MutableBytes packet, size_t header_size, uint32_t ssrc, uint64_t index) {
  if (Aead* aead = rtp_->aead()) {
    return aead->open(rtp_->aead_iv(ssrc, index), packet.first(header_size), packet.subspan(header_size));
  }
  CounterMac* cipher = rtp_->counter_mac();
  const size_t end = packet.size() - kMacTagSize;
  const CounterMac::Tag tag = cipher->mac(packet.first(end), static_cast<uint32_t>(index >> 16));
  if (CRYPTO_memcmp(tag.data(), packet.data() + end, tag.size()) != 0) return false;
  const core::MutableBytes body = packet.subspan(header_size, end - header_size);
  cipher->crypt(rtp_->counter_iv(ssrc, index), body, body.data());
  return true;
}

core::Result<size_t, SrtpError> Opener::open_rtcp(core::MutableBytes packet) {
  const size_t tag_size = crypto::srtp_tag_size(key_.profile);
  if (packet.size() < kRtcpHeader + kRtcpIndexSize + tag_size) return refuse(SrtpError::Truncated);
  const uint32_t ssrc = core::load_u32(packet.data() + 4);
  // The index word comes last under AEAD and before the tag otherwise (see Sealer::seal_rtcp).
  const size_t index_at = packet.size() - kRtcpIndexSize - (rtcp_->aead() ? 0 : tag_size);
  const uint32_t index_word = core::load_u32(packet.data() + index_at);
  if ((index_word & kRtcpEncrypted) == 0) return refuse(SrtpError::Unencrypted);
  const uint32_t index = index_word & kMaxRtcpIndex;
  ReplayWindow* window = rtcp_sources_.find(ssrc);
  if (window && !window->would_accept(index)) return refuse(SrtpError::Replayed);
  if (!open_rtcp_bytes(packet, ssrc, index_word)) return refuse(SrtpError::BadTag);
  if (!remember(rtcp_sources_, window, ssrc, index, config_.rtcp_window))
    return refuse(SrtpError::TooManySources);
  ++counters_.opened;
  return packet.size() - tag_size - kRtcpIndexSize;
}

bool Opener::open_rtcp_bytes(core::MutableBytes packet, uint32_t ssrc, uint32_t index_word) {
  const uint32_t index = index_word & kMaxRtcpIndex;
  if (Aead* aead = rtcp_->aead()) {
    std::array<uint8_t, kRtcpHeader + kRtcpIndexSize> aad;
    std::memcpy(aad.data(), packet.data(), kRtcpHeader);
    core::store_u32(aad.data() + kRtcpHeader, index_word);
    return aead->open(rtcp_->aead_iv(ssrc, index), aad,
                      packet.subspan(kRtcpHeader, packet.size() - kRtcpHeader - kRtcpIndexSize));
  }
  CounterMac* cipher = rtcp_->counter_mac();
  const size_t end = packet.size() - kMacTagSize;
  const CounterMac::Tag tag = cipher->mac(packet.first(end));
  if (CRYPTO_memcmp(tag.data(), packet.data() + end, tag.size()) != 0) return false;
  const core::MutableBytes body = packet.subspan(kRtcpHeader, end - kRtcpIndexSize - kRtcpHeader);
  cipher->crypt(rtcp_->counter_iv(ssrc, index), body, body.data());
  return true;
}

bool Opener::remember(SourceTable& sources, ReplayWindow* window, uint32_t ssrc, uint64_t index,
                      uint32_t window_size) {
  if (!window) {
    if (sources.ssrcs.size() == config_.max_sources) return false;
    sources.ssrcs.push_back(ssrc);
    window = &sources.windows.emplace_back(window_size);
  }
  window->accept(index);
  return true;
}

core::Result<size_t, SrtpError> Opener::refuse(SrtpError error) {
  switch (error) {
    case SrtpError::Truncated: ++counters_.truncated; break;
    case SrtpError::Replayed: ++counters_.replayed; break;
    case SrtpError::BadTag: ++counters_.bad_tag; break;
    case SrtpError::TooManySources: ++counters_.too_many_sources; break;
    case SrtpError::Unencrypted: ++counters_.unencrypted; break;
  }
  return core::err(error);
}

uint64_t Opener::highest_index(uint32_t ssrc) const {
  const ReplayWindow* window = rtp_sources_.find(ssrc);
  return window ? window->highest() : 0;
}

OpenerState Opener::export_state() const {
  OpenerState state{key_, {}, {}, counters_};
  const auto copy = [](const SourceTable& from, std::vector<OpenerState::Window>& to) {
    for (size_t i = 0; i < from.ssrcs.size(); ++i) {
      const std::span<const uint64_t> words = from.windows[i].words();
      to.push_back({from.ssrcs[i], from.windows[i].highest(), {words.begin(), words.end()}});
    }
  };
  copy(rtp_sources_, state.rtp);
  copy(rtcp_sources_, state.rtcp);
  return state;
}

}  // namespace huitang::srtp
