// What an offer and its answer agree on, in the terms of whoever moves the packets. The same structs serve
// the node (which answered) and a bot (which offered); `direction` is always one's own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdp/session_description.h"

namespace huitang::sdp {

/// Codecs the media engine knows. RTX is not one of them: it accompanies a codec.
enum class Codec : uint8_t { Opus, Red, Vp8, H264 };
std::string_view to_string(Codec codec);

/// Header extensions the media engine knows, in the order of rtp::ExtensionKind.
enum class HeaderExtension : uint8_t {
  Mid,
  Rid,
  RepairedRid,
  AudioLevel,
  TransportCc,
  AbsSendTime,
  PlayoutDelay
};
inline constexpr size_t kHeaderExtensions = 7;
std::string_view uri_of(HeaderExtension extension);
std::optional<HeaderExtension> header_extension_of(std::string_view uri);

/// Negotiated ids by HeaderExtension; 0 = absent.
struct ExtensionIdTable {
  std::array<uint8_t, kHeaderExtensions> ids{};
  uint8_t of(HeaderExtension e) const { return ids[static_cast<size_t>(e)]; }
  uint8_t& of(HeaderExtension e) { return ids[static_cast<size_t>(e)]; }
  friend bool operator==(const ExtensionIdTable&, const ExtensionIdTable&) = default;
};

struct NegotiatedCodec {
  uint8_t payload_type = 0;
  Codec codec = Codec::Opus;
  uint32_t clock_rate = 0;
  std::optional<uint8_t> rtx_payload_type;  ///< the a=fmtp apt pairing
  std::optional<uint8_t> red_inner;         ///< of RED: the payload type inside (one codec, RFC 2198)
  bool nack = false;
  bool pli = false;
  bool fir = false;
  bool transport_cc = false;
  std::string fmtp;  ///< as answered
  friend bool operator==(const NegotiatedCodec&, const NegotiatedCodec&) = default;
};

struct NegotiatedLine {
  std::string mid;
  size_t index = 0;  ///< of the m-line
  MediaKind kind = MediaKind::Audio;
  bool rejected = false;                      ///< port 0; nothing below is filled
  Direction direction = Direction::Inactive;  ///< ours
  std::vector<NegotiatedCodec> codecs;        ///< the first is the one to send
  ExtensionIdTable extensions;
  std::vector<std::string> rids;  ///< of the sender of this line, lowest layer first; empty = no simulcast
  std::vector<uint32_t> remote_ssrcs;  ///< announced by the other side, RTX excluded, in order
  std::vector<std::pair<uint32_t, uint32_t>> remote_rtx;  ///< (media ssrc, its RTX ssrc) of FID groups
  std::vector<Msid> remote_msids;
  bool rtcp_rsize = false;

  const NegotiatedCodec* find_codec(Codec codec) const;
};

/// The other side's transport, for ICE and DTLS.
struct RemoteTransport {
  std::string ice_ufrag;
  std::string ice_pwd;
  bool ice_lite = false;
  std::vector<Fingerprint> fingerprints;
  Setup setup = Setup::ActPass;
  std::vector<Candidate> candidates;
};

struct Negotiated {
  RemoteTransport remote;
  std::vector<NegotiatedLine> lines;  ///< one for each m-line, in order
  bool extmap_allow_mixed = false;

  const NegotiatedLine* find_line(std::string_view mid) const;
};

}  // namespace huitang::sdp
