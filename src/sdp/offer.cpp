#include "sdp/offer.h"

#include <algorithm>
#include <utility>

#include "sdp/negotiation.h"

namespace huitang::sdp {
namespace {

// One id for each extension across the bundle; all fit the one-byte form.
constexpr std::pair<HeaderExtension, uint8_t> kOfferedExtensions[] = {
    {HeaderExtension::AudioLevel, 1},   {HeaderExtension::AbsSendTime, 2},  {HeaderExtension::TransportCc, 3},
    {HeaderExtension::Mid, 4},          {HeaderExtension::PlayoutDelay, 5}, {HeaderExtension::Rid, 10},
    {HeaderExtension::RepairedRid, 11},
};

bool is_for(HeaderExtension extension, const OfferedLine& line) {
  switch (extension) {
    case HeaderExtension::AudioLevel: return kind_of(line.use) == MediaKind::Audio;
    case HeaderExtension::PlayoutDelay: return kind_of(line.use) == MediaKind::Video;
    case HeaderExtension::Rid:
    case HeaderExtension::RepairedRid: return !line.rids.empty();
    case HeaderExtension::Mid:
    case HeaderExtension::TransportCc:
    case HeaderExtension::AbsSendTime: break;
  }
  return true;
}

struct OfferedCodec {
  Codec codec;
  uint8_t payload_type;
  uint8_t rtx_payload_type;  ///< 0: none
  const char* fmtp;
};
constexpr OfferedCodec kOfferedCodecs[] = {
    {Codec::Opus, kOfferOpus, 0, "minptime=10;useinbandfec=1"},
    {Codec::Red, kOfferRed, 0, "111/111"},
    {Codec::Vp8, kOfferVp8, kOfferVp8Rtx, ""},
    {Codec::H264, kOfferH264, kOfferH264Rtx,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
};

void add_codec(const OfferedCodec& codec, MediaDescription& media) {
  media.formats.push_back(std::to_string(codec.payload_type));
  media.rtpmaps.push_back(rtpmap_of(codec.codec, codec.payload_type));
  media.feedback.push_back({codec.payload_type, "transport-cc"});
  if (media.kind == MediaKind::Video)
    for (const char* value : {"ccm fir", "nack", "nack pli"})
      media.feedback.push_back({codec.payload_type, value});
  if (*codec.fmtp != '\0') media.fmtps.push_back({codec.payload_type, codec.fmtp});
  if (codec.rtx_payload_type == 0) return;
  media.formats.push_back(std::to_string(codec.rtx_payload_type));
  media.rtpmaps.push_back({codec.rtx_payload_type, "rtx", 90000, 1});
  media.fmtps.push_back({codec.rtx_payload_type, "apt=" + std::to_string(codec.payload_type)});
}

void add_source(const OfferedLine& line, const OfferConfig& config, MediaDescription& media) {
  if (!line.stream.empty()) media.msids.push_back({line.stream, line.track});
  if (!line.rids.empty()) {
    media.simulcast.emplace();
    for (const std::string& rid : line.rids) {
      media.rids.push_back({rid, RidDirection::Send, {}});
      media.simulcast->send.push_back({{rid, false}});
    }
    return;
  }
  if (line.ssrc == 0) return;
  media.ssrcs.push_back({line.ssrc, "cname", config.cname});
  if (line.rtx_ssrc == 0) return;
  media.ssrc_groups.push_back({"FID", {line.ssrc, line.rtx_ssrc}});
  media.ssrcs.push_back({line.rtx_ssrc, "cname", config.cname});
}

MediaDescription section_of(const OfferedLine& line, const OfferConfig& config) {
  MediaDescription media;
  media.kind = kind_of(line.use);
  media.kind_name = to_string(media.kind);
  media.mid = line.mid;
  media.direction = is_source(line.use) ? Direction::SendOnly : Direction::RecvOnly;
  media.rtcp_mux = true;
  media.rtcp_rsize = true;
  media.transport = {config.ice_ufrag, config.ice_pwd, {}, {config.fingerprint}, Setup::ActPass};
  for (const auto& [extension, id] : kOfferedExtensions)
    if (is_for(extension, line))
      media.extensions.push_back({id, std::nullopt, std::string(uri_of(extension)), {}});
  for (const Codec wanted : media.kind == MediaKind::Audio ? config.audio_codecs : config.video_codecs)
    for (const OfferedCodec& codec : kOfferedCodecs)
      if (codec.codec == wanted) add_codec(codec, media);
  if (is_source(line.use)) add_source(line, config, media);
  return media;
}

SdpError mismatch(const MediaDescription& media, const char* reason) {
  return {SdpErrorCode::Mismatch, media.line.number, reason};
}

std::optional<SdpError> check_section(const MediaDescription& offered, const MediaDescription& answered) {
  if (answered.kind != offered.kind)
    return mismatch(answered, "a media section of another kind than offered");
  if (answered.port == 0) return std::nullopt;
  if (answered.mid != offered.mid)
    return mismatch(answered, "a media section with another a=mid than offered");
  if (answered.direction.value_or(Direction::SendRecv) !=
          reversed(offered.direction.value_or(Direction::SendRecv)) &&
      answered.direction != Direction::Inactive)
    return mismatch(answered, "a direction that was not offered");
  for (const std::string& format : answered.formats)
    if (std::find(offered.formats.begin(), offered.formats.end(), format) == offered.formats.end())
      return mismatch(answered, "a payload type that was not offered");
  return std::nullopt;
}

NegotiatedLine read_line(const SessionDescription& answer, const MediaDescription& offered,
                         const MediaDescription& answered, size_t index) {
  NegotiatedLine line;
  line.mid = offered.mid;
  line.index = index;
  line.kind = offered.kind;
  line.rejected = answered.port == 0;
  if (line.rejected) return line;
  line.direction = reversed(direction_of(answer, answered));
  line.rtcp_rsize = answered.rtcp_rsize;
  line.codecs = read_codecs(answered, {Codec::Opus, Codec::Red, Codec::Vp8, Codec::H264});
  for (const ExtMap& map : answered.extensions)
    if (const auto extension = header_extension_of(map.uri); extension && map.id <= 255)
      line.extensions.of(*extension) = static_cast<uint8_t>(map.id);
  if (answered.simulcast)
    for (const auto& alternatives : answered.simulcast->recv) line.rids.push_back(alternatives.front().rid);
  read_remote_streams(answered, line);
  return line;
}

std::optional<SdpError> check_transport(const RemoteTransport& remote, const MediaDescription& tagged) {
  if (remote.ice_ufrag.empty() || remote.ice_pwd.empty()) return mismatch(tagged, "no ICE credentials");
  if (remote.fingerprints.empty()) return mismatch(tagged, "no a=fingerprint");
  if (remote.setup != Setup::Active && remote.setup != Setup::Passive)
    return mismatch(tagged, "an answer must choose a=setup:active or passive");
  return std::nullopt;
}

}  // namespace

std::vector<OfferedLine> client_lines(const ClientShape& shape) {
  std::vector<OfferedLine> lines;
  const auto add = [&](LineUse use, uint32_t index) -> OfferedLine& {
    lines.push_back({.mid = std::to_string(lines.size()), .use = use, .index = index});
    return lines.back();
  };
  add(LineUse::Microphone, 0);
  add(LineUse::Camera, 0).rids = shape.camera_rids;
  add(LineUse::Screen, 0);
  add(LineUse::ScreenAudio, 0);
  for (uint32_t k = 0; k < shape.audio_slots; ++k) add(LineUse::AudioSlot, k);
  for (uint32_t k = 0; k < shape.video_slots; ++k) add(LineUse::VideoSlot, k);
  for (uint32_t k = 0; k < shape.share_slots; ++k) add(LineUse::ShareSlot, k);
  return lines;
}

SessionDescription make_offer(const OfferConfig& config) {
  SessionDescription offer;
  offer.origin.session_id = config.session_id;
  offer.origin.session_version = config.session_version;
  offer.timing = {"0 0"};
  offer.groups = {{"BUNDLE", {}}};
  offer.extmap_allow_mixed = true;
  for (const OfferedLine& line : config.lines) {
    offer.groups[0].mids.push_back(line.mid);
    offer.media.push_back(section_of(line, config));
  }
  if (!offer.media.empty()) offer.media.front().candidates = config.candidates;
  return offer;
}

core::Result<Negotiated, SdpError> read_answer(const SessionDescription& offer, std::string_view text) {
  auto answer = parse_session_description(text);
  if (!answer) return core::err(answer.error());
  if (answer->media.size() != offer.media.size())
    return core::err(SdpError{SdpErrorCode::Mismatch, 0, "the answer has another number of media sections"});
  Negotiated out;
  const MediaDescription* tagged = nullptr;
  for (size_t i = 0; i < offer.media.size(); ++i) {
    const MediaDescription& answered = answer->media[i];
    if (auto wrong = check_section(offer.media[i], answered)) return core::err(std::move(*wrong));
    out.lines.push_back(read_line(*answer, offer.media[i], answered, i));
    if (!tagged && answered.port != 0) tagged = &answered;
  }
  if (!tagged)
    return core::err(SdpError{SdpErrorCode::Mismatch, 0, "the answer rejects every media section"});
  out.remote = read_transport(*answer, *tagged);
  if (auto wrong = check_transport(out.remote, *tagged)) return core::err(std::move(*wrong));
  out.extmap_allow_mixed = answer->extmap_allow_mixed || tagged->extmap_allow_mixed;
  return out;
}

}  // namespace huitang::sdp
