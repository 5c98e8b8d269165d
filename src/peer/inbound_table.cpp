#include "peer/inbound_table.h"

#include <algorithm>

namespace huitang::peer {

void InboundTable::configure(std::span<const SourceLine> sources,
                             std::span<const sdp::NegotiatedLine> lines) {
  sources_.clear();
  payload_types_ = {};
  for (const SourceLine& source : sources) {
    sources_.push_back({source.line.mid, source.rids});
    for (const sdp::NegotiatedCodec& codec : source.codecs) {
      payload_types_[codec.payload_type & 0x7f] = {PayloadType::Kind::Media, codec.codec, 0};
      if (!codec.rtx_payload_type) continue;
      payload_types_[*codec.rtx_payload_type & 0x7f] = {PayloadType::Kind::Rtx, codec.codec,
                                                        codec.payload_type};
    }
  }
  for (const sdp::NegotiatedLine& line : lines) add_announced(line);
}

// Simulcast layers are told apart by rid alone, so SSRCs announced for such a line say nothing of their
// layer.
void InboundTable::add_announced(const sdp::NegotiatedLine& line) {
  const auto source = find_source(line.mid);
  if (!source || !line.rids.empty() || line.remote_ssrcs.empty()) return;
  const uint32_t ssrc = line.remote_ssrcs.front();
  put({ssrc, *source, 0, false});
  for (const auto& [media, rtx] : line.remote_rtx) {
    if (media == ssrc) put({rtx, *source, 0, true});
  }
}

const InboundStream* InboundTable::find_or_learn(uint32_t ssrc, bool is_rtx, const Hints& hints) {
  InboundStream* known = find(ssrc);
  if (hints.mid.empty()) return known != nullptr && known->is_rtx == is_rtx ? known : nullptr;
  const auto told = resolve(ssrc, is_rtx, hints);
  if (!told) {
    // A mid alone, where a rid is needed, contradicts nothing.
    return known != nullptr && known->is_rtx == is_rtx && sources_[known->source].mid == hints.mid ? known
                                                                                                   : nullptr;
  }
  if (known != nullptr && *known == *told) return known;
  return put(*told);
}

std::optional<uint32_t> InboundTable::original_of(const InboundStream& rtx) const {
  for (const InboundStream& s : streams()) {
    if (!s.is_rtx && s.source == rtx.source && s.layer == rtx.layer) return s.ssrc;
  }
  return std::nullopt;
}

bool InboundTable::restore(std::span<const InboundStream> streams) {
  for (const InboundStream& s : streams) {
    if (s.source >= sources_.size()) return false;
    if (s.layer >= std::max<size_t>(1, sources_[s.source].rids.size())) return false;
    if (put(s) == nullptr) return false;
  }
  return true;
}

std::optional<uint16_t> InboundTable::find_source(std::string_view mid) const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].mid == mid) return static_cast<uint16_t>(i);
  }
  return std::nullopt;
}

InboundStream* InboundTable::find(uint32_t ssrc) {
  for (size_t i = 0; i < count_; ++i) {
    if (streams_[i].ssrc == ssrc) return &streams_[i];
  }
  return nullptr;
}

std::optional<InboundStream> InboundTable::resolve(uint32_t ssrc, bool is_rtx, const Hints& hints) const {
  const auto source = find_source(hints.mid);
  if (!source) return std::nullopt;
  const auto& rids = sources_[*source].rids;
  if (rids.empty()) return InboundStream{ssrc, *source, 0, is_rtx};
  const std::string_view rid = is_rtx && !hints.repaired_rid.empty() ? hints.repaired_rid : hints.rid;
  const auto layer = std::find(rids.begin(), rids.end(), rid);
  if (layer == rids.end()) return std::nullopt;
  return InboundStream{ssrc, *source, static_cast<uint8_t>(layer - rids.begin()), is_rtx};
}

// One SSRC has one place and one place has one SSRC, the newest: a sender that changes it does not fill the
// table.
InboundStream* InboundTable::put(const InboundStream& stream) {
  const auto begin = streams_.begin();
  const auto end = std::remove_if(begin, begin + count_, [&](const InboundStream& s) {
    return s.ssrc == stream.ssrc ||
           (s.source == stream.source && s.layer == stream.layer && s.is_rtx == stream.is_rtx);
  });
  count_ = static_cast<size_t>(end - begin);
  if (count_ == kMaxStreams) {
    ++refused_;
    return nullptr;
  }
  streams_[count_] = stream;
  return &streams_[count_++];
}

}  // namespace huitang::peer
