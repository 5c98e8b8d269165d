// Which line and layer each of the client's SSRCs belongs to, and what its payload types mean.
//
// Fed by Peer with authentic packets only. An SSRC is known from the offer (a=ssrc, FID groups) or learned
// from the mid, rid and repaired-rid extensions of its packets (RFC 9143 section 9.2, RFC 8852). Fixed
// memory, no allocation after an offer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peer/types.h"

namespace huitang::peer {

class InboundTable {
 public:
  static constexpr size_t kMaxStreams = 64;  ///< srtp::OpenerConfig::max_sources

  /// What one payload type is, throughout the bundle.
  struct PayloadType {
    enum class Kind : uint8_t { Unknown, Media, Rtx };
    Kind kind = Kind::Unknown;
    sdp::Codec codec = sdp::Codec::Opus;
    uint8_t original = 0;  ///< of RTX: the payload type that it repeats
  };

  /// What a packet says of its place.
  struct Hints {
    std::string_view mid;
    std::string_view rid;
    std::string_view repaired_rid;
  };

  /// After each accepted offer. `sources` only ever grows at its end, so what was learned stays.
  void configure(std::span<const SourceLine> sources, std::span<const sdp::NegotiatedLine> lines);

  const PayloadType& payload_type(uint8_t value) const { return payload_types_[value & 0x7f]; }

  /// The stream of an SSRC, learned on the way if the hints suffice; a hint that contradicts what is known
  /// wins. Null when unknown, or when the table is full.
  const InboundStream* find_or_learn(uint32_t ssrc, bool is_rtx, const Hints& hints);
  /// The SSRC that an RTX stream repeats. Absent as long as the original was not heard.
  std::optional<uint32_t> original_of(const InboundStream& rtx) const;

  /// Puts back what another process had learned, after configure(). False when a stream fits no source.
  bool restore(std::span<const InboundStream> streams);

  std::span<const InboundStream> streams() const { return {streams_.data(), count_}; }
  uint64_t refused() const { return refused_; }

 private:
  struct Source {
    std::string mid;
    std::vector<std::string> rids;
  };
  void add_announced(const sdp::NegotiatedLine& line);
  std::optional<uint16_t> find_source(std::string_view mid) const;
  InboundStream* find(uint32_t ssrc);
  std::optional<InboundStream> resolve(uint32_t ssrc, bool is_rtx, const Hints& hints) const;
  InboundStream* put(const InboundStream& stream);

  std::vector<Source> sources_;
  std::array<PayloadType, 128> payload_types_{};
  std::array<InboundStream, kMaxStreams> streams_{};
  size_t count_ = 0;
  uint64_t refused_ = 0;  ///< streams for which there was no room
};

}  // namespace huitang::peer
