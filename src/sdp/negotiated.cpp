#include "sdp/negotiated.h"

#include <algorithm>

#include "sdp/negotiation.h"
#include "sdp/text.h"

namespace huitang::sdp {
namespace {

// Order of HeaderExtension.
constexpr std::array<std::string_view, kHeaderExtensions> kExtensionUris = {
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
};

struct CodecRow {
  Codec codec;
  MediaKind kind;
  std::string_view encoding;
  uint32_t clock_rate;
  uint8_t channels;
};
constexpr CodecRow kCodecs[] = {
    {Codec::Opus, MediaKind::Audio, "opus", 48000, 2},
    {Codec::Red, MediaKind::Audio, "red", 48000, 2},
    {Codec::Vp8, MediaKind::Video, "VP8", 90000, 1},
    {Codec::H264, MediaKind::Video, "H264", 90000, 1},
};

// RFC 6184 8.1: profile-level-id is profile_idc, profile-iop, level_idc in hex. Constrained baseline is
// profile 66 with constraint_set1 (Table 5); only packetization mode 1 is taken.
bool is_constrained_baseline(std::string_view fmtp) {
  const auto profile = find_parameter(fmtp, "profile-level-id");
  if (!profile || profile->size() != 6 || find_parameter(fmtp, "packetization-mode") != "1") return false;
  uint32_t value = 0;
  const auto [end, code] = std::from_chars(profile->data(), profile->data() + 6, value, 16);
  return code == std::errc() && end == profile->data() + 6 && value >> 16 == 66 && (value & 0x4000) != 0;
}

}  // namespace

std::string_view to_string(Codec codec) {
  for (const CodecRow& row : kCodecs)
    if (row.codec == codec) return row.encoding;
  return "?";
}

std::string_view uri_of(HeaderExtension extension) { return kExtensionUris[static_cast<size_t>(extension)]; }

std::optional<HeaderExtension> header_extension_of(std::string_view uri) {
  const auto at = std::find(kExtensionUris.begin(), kExtensionUris.end(), uri);
  if (at == kExtensionUris.end()) return std::nullopt;
  return static_cast<HeaderExtension>(at - kExtensionUris.begin());
}

const NegotiatedCodec* NegotiatedLine::find_codec(Codec codec) const {
  for (const NegotiatedCodec& c : codecs)
    if (c.codec == codec) return &c;
  return nullptr;
}

const NegotiatedLine* Negotiated::find_line(std::string_view mid) const {
  for (const NegotiatedLine& line : lines)
    if (line.mid == mid) return &line;
  return nullptr;
}

// --- what answer.cpp and offer.cpp share
// ----------------------------------------------------------------------

RtpMap rtpmap_of(Codec codec, uint8_t payload_type) {
  for (const CodecRow& row : kCodecs)
    if (row.codec == codec) return {payload_type, std::string(row.encoding), row.clock_rate, row.channels};
  return {};
}

std::optional<Codec> codec_of(const MediaDescription& media, const RtpMap& map) {
  for (const CodecRow& row : kCodecs) {
    if (row.kind != media.kind || row.clock_rate != map.clock_rate || row.channels != map.channels) continue;
    if (!is_same_name(row.encoding, map.encoding)) continue;
    if (row.codec == Codec::H264 && !is_constrained_baseline(media.fmtp_of(map.payload_type)))
      return std::nullopt;
    return row.codec;
  }
  return std::nullopt;
}

namespace {

bool has_feedback(const MediaDescription& media, uint8_t payload_type, std::string_view value) {
  return std::any_of(media.feedback.begin(), media.feedback.end(), [&](const RtcpFeedback& f) {
    return f.payload_type.value_or(payload_type) == payload_type && f.value == value;
  });
}

NegotiatedCodec read_codec(const MediaDescription& media, const RtpMap& map, Codec codec) {
  NegotiatedCodec out;
  out.payload_type = map.payload_type;
  out.codec = codec;
  out.clock_rate = map.clock_rate;
  out.nack = has_feedback(media, map.payload_type, "nack");
  out.pli = has_feedback(media, map.payload_type, "nack pli");
  out.fir = has_feedback(media, map.payload_type, "ccm fir");
  out.transport_cc = has_feedback(media, map.payload_type, "transport-cc");
  out.fmtp = media.fmtp_of(map.payload_type);
  // RFC 2198: a=fmtp:RED INNER/INNER...; ours holds one codec only.
  if (codec == Codec::Red) out.red_inner = parse_payload_type(cut(out.fmtp, '/').first);
  return out;
}

void pair_rtx(const MediaDescription& media, std::vector<NegotiatedCodec>& codecs) {
  for (const std::string& format : media.formats) {
    const auto payload_type = parse_payload_type(format);
    const RtpMap* map = payload_type ? media.find_rtpmap(*payload_type) : nullptr;
    if (!map || !is_same_name(map->encoding, "rtx")) continue;
    const auto apt = find_parameter(media.fmtp_of(*payload_type), "apt");
    const auto paired = apt ? parse_payload_type(*apt) : std::nullopt;
    for (NegotiatedCodec& codec : codecs)
      if (paired == codec.payload_type && map->clock_rate == codec.clock_rate && !codec.rtx_payload_type)
        codec.rtx_payload_type = payload_type;
  }
}

}  // namespace

std::vector<NegotiatedCodec> read_codecs(const MediaDescription& media, const std::vector<Codec>& wanted) {
  std::vector<NegotiatedCodec> codecs;
  for (const std::string& format : media.formats) {
    const auto payload_type = parse_payload_type(format);
    const RtpMap* map = payload_type ? media.find_rtpmap(*payload_type) : nullptr;
    const auto codec = map ? codec_of(media, *map) : std::nullopt;
    if (!codec || std::find(wanted.begin(), wanted.end(), *codec) == wanted.end()) continue;
    const auto is_known = [&](const NegotiatedCodec& c) { return c.codec == *codec; };
    if (std::any_of(codecs.begin(), codecs.end(), is_known)) continue;  // the first of its kind counts
    codecs.push_back(read_codec(media, *map, *codec));
  }
  pair_rtx(media, codecs);
  // RED without a codec of this line inside is of no use.
  std::erase_if(codecs, [&](const NegotiatedCodec& red) {
    return red.codec == Codec::Red &&
           std::none_of(codecs.begin(), codecs.end(), [&](const NegotiatedCodec& c) {
             return c.codec == Codec::Opus && red.red_inner == c.payload_type;
           });
  });
  return codecs;
}

void read_remote_streams(const MediaDescription& media, NegotiatedLine& line) {
  std::vector<uint32_t> repair;
  for (const SsrcGroup& group : media.ssrc_groups) {
    if (group.semantics != "FID" || group.ssrcs.size() != 2) continue;
    line.remote_rtx.emplace_back(group.ssrcs[0], group.ssrcs[1]);
    repair.push_back(group.ssrcs[1]);
  }
  const auto contains = [](const auto& list, uint32_t ssrc) {
    return std::find(list.begin(), list.end(), ssrc) != list.end();
  };
  for (const SsrcAttribute& a : media.ssrcs)
    if (!contains(repair, a.ssrc) && !contains(line.remote_ssrcs, a.ssrc))
      line.remote_ssrcs.push_back(a.ssrc);
  line.remote_msids = media.msids;
}

RemoteTransport read_transport(const SessionDescription& session, const MediaDescription& media) {
  const TransportAttributes& own = media.transport;
  const TransportAttributes& common = session.transport;
  RemoteTransport remote;
  remote.ice_ufrag = own.ice_ufrag.empty() ? common.ice_ufrag : own.ice_ufrag;
  remote.ice_pwd = own.ice_pwd.empty() ? common.ice_pwd : own.ice_pwd;
  remote.ice_lite = session.ice_lite;
  remote.fingerprints = own.fingerprints.empty() ? common.fingerprints : own.fingerprints;
  // RFC 8842 5.1: without a=setup an offer means "active", and so does RFC 4145's default.
  remote.setup = own.setup.value_or(common.setup.value_or(Setup::Active));
  remote.candidates = media.candidates;
  return remote;
}

Direction direction_of(const SessionDescription& session, const MediaDescription& media) {
  return media.direction.value_or(session.direction.value_or(Direction::SendRecv));
}

bool is_bundled(const SessionDescription& session, const MediaDescription& media) {
  const Group* bundle = session.bundle();
  return bundle && std::find(bundle->mids.begin(), bundle->mids.end(), media.mid) != bundle->mids.end();
}

bool is_secure_rtp(std::string_view protocol) {
  return protocol == "UDP/TLS/RTP/SAVPF" || protocol == "UDP/TLS/RTP/SAVP" ||
         protocol == "TCP/DTLS/RTP/SAVPF" || protocol == "RTP/SAVPF";
}

}  // namespace huitang::sdp
