#include "sdp/answer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sdp/negotiation.h"
#include "sdp/text.h"

namespace huitang::sdp {
namespace {

using core::err;

SdpError mismatch(const MediaDescription& media, std::string reason) {
  return {SdpErrorCode::Mismatch, media.line.number, std::move(reason)};
}
SdpError unsupported(const MediaDescription& media, std::string reason) {
  return {SdpErrorCode::Unsupported, media.line.number, std::move(reason)};
}

/// RFC 9143 7.2.1: the offerer's tagged section is the first of the group; a section of port 0 is on offer
/// only as bundle-only.
bool is_offered(const SessionDescription& offer, const MediaDescription& media) {
  return (media.kind == MediaKind::Audio || media.kind == MediaKind::Video) &&
         is_secure_rtp(media.protocol) && is_bundled(offer, media) && (media.port != 0 || media.bundle_only);
}

/// Within a bundle a payload type and an extension id mean one thing (RFC 9143 9.1, RFC 8285 6).
class BundleNames {
 public:
  const char* add(const MediaDescription& media) {
    for (const RtpMap& map : media.rtpmaps) {
      const RtpMap*& known = maps_[map.payload_type];
      if (known && !(*known == map)) return "one payload type means two codecs within the bundle";
      known = &map;
    }
    for (const ExtMap& map : media.extensions) {
      if (map.id >= extensions_.size()) continue;
      const ExtMap*& known = extensions_[map.id];
      if (known && known->uri != map.uri) return "one extension id means two extensions within the bundle";
      known = &map;
    }
    return nullptr;
  }

 private:
  std::array<const RtpMap*, 128> maps_{};
  std::array<const ExtMap*, 256> extensions_{};
};

class Answerer {
 public:
  Answerer(const SessionDescription& offer, const AnswerConfig& config) : offer_(offer), config_(config) {}

  core::Result<Answer, SdpError> run() {
    if (auto wrong = check_offer()) return err(std::move(*wrong));
    begin();
    for (size_t i = 0; i < offer_.media.size(); ++i)
      if (auto wrong = answer_line(offer_.media[i], i)) return err(std::move(*wrong));
    if (out_.description.groups[0].mids.empty())
      return err(SdpError{SdpErrorCode::Unsupported, 0, "no line of the offer can be answered"});
    write_tagged_transport();
    out_.text = write_session_description(out_.description);
    return std::move(out_);
  }

 private:
  using Wrong = std::optional<SdpError>;

  Wrong check_offer() {
    if (!offer_.bundle()) return SdpError{SdpErrorCode::Unsupported, 0, "the offer has no a=group:BUNDLE"};
    BundleNames names;
    for (const MediaDescription& media : offer_.media) {
      if (media.mid.empty()) return unsupported(media, "a media section without a=mid");
      if (!is_offered(offer_, media)) continue;
      if (const char* clash = names.add(media)) return unsupported(media, clash);
      if (!media.rtcp_mux) return unsupported(media, "a bundled media section without a=rtcp-mux");
      if (!tagged_) tagged_ = &media;
    }
    for (const LinePlan& plan : config_.lines)
      if (!offer_.find_media(plan.mid))
        return SdpError{SdpErrorCode::Mismatch, 0, "a line is announced that the offer does not hold"};
    if (!tagged_) return SdpError{SdpErrorCode::Unsupported, 0, "no line of the offer can be answered"};
    return check_transport(read_transport(offer_, *tagged_));
  }

  Wrong check_transport(RemoteTransport remote) {
    if (remote.ice_ufrag.empty() || remote.ice_pwd.empty())
      return unsupported(*tagged_, "no ICE credentials");
    if (remote.ice_lite) return unsupported(*tagged_, "the offerer is ICE-lite, as we are");
    if (remote.fingerprints.empty()) return unsupported(*tagged_, "no a=fingerprint");
    if (remote.setup != Setup::ActPass && remote.setup != Setup::Active)
      return unsupported(*tagged_, "the offerer will not be the DTLS client");
    out_.negotiated.remote = std::move(remote);
    return std::nullopt;
  }

  void begin() {
    SessionDescription& d = out_.description;
    d.origin.session_id = config_.session_id;
    d.origin.session_version = config_.session_version;
    d.origin.address = "IN IP4 127.0.0.1";
    d.timing = {"0 0"};
    d.groups = {{"BUNDLE", {}}};
    d.ice_lite = true;
    d.extmap_allow_mixed = allows_mixed();
    out_.negotiated.extmap_allow_mixed = d.extmap_allow_mixed;
  }

  // RFC 8285 6: taken for the whole bundle only when every section offers it.
  bool allows_mixed() const {
    return offer_.extmap_allow_mixed ||
           std::all_of(offer_.media.begin(), offer_.media.end(), [&](const MediaDescription& m) {
             return !is_offered(offer_, m) || m.extmap_allow_mixed;
           });
  }

  Wrong answer_line(const MediaDescription& offered, size_t index) {
    NegotiatedLine line;
    line.mid = offered.mid;
    line.index = index;
    line.kind = offered.kind;
    const LinePlan* plan = find_plan(offered.mid);
    if (plan && is_offered(offer_, offered)) {
      if (Wrong wrong = check_plan(offered, *plan)) return wrong;
      line.codecs = read_codecs(offered, config_.codecs);
    }
    line.rejected = line.codecs.empty();
    if (line.rejected) {
      out_.description.media.push_back(rejection_of(offered));
    } else {
      fill_line(offered, *plan, line);
      out_.description.media.push_back(section_of(offered, *plan, line));
      out_.description.groups[0].mids.push_back(offered.mid);
    }
    out_.negotiated.lines.push_back(std::move(line));
    return std::nullopt;
  }

  const LinePlan* find_plan(std::string_view mid) const {
    for (const LinePlan& plan : config_.lines)
      if (plan.mid == mid) return &plan;
    return nullptr;
  }

  Wrong check_plan(const MediaDescription& offered, const LinePlan& plan) const {
    const Direction direction = direction_of(offer_, offered);
    if (plan.role == LinePlan::Role::Source && !sends(direction))
      return mismatch(offered, "a line announced as a source does not send");
    if (plan.role == LinePlan::Role::Slot && !receives(direction))
      return mismatch(offered, "a line announced as a slot does not receive");
    return std::nullopt;
  }

  void fill_line(const MediaDescription& offered, const LinePlan& plan, NegotiatedLine& line) const {
    const bool is_source = plan.role == LinePlan::Role::Source;
    line.direction = is_source ? Direction::RecvOnly : Direction::SendOnly;
    line.rtcp_rsize = offered.rtcp_rsize;
    for (const ExtMap& map : offered.extensions)
      if (const auto extension = taken_extension(map, is_source))
        line.extensions.of(*extension) = static_cast<uint8_t>(map.id);
    for (NegotiatedCodec& codec : line.codecs) codec.fmtp = answered_fmtp(codec);
    if (!is_source) return;
    line.rids = taken_rids(offered);
    read_remote_streams(offered, line);
  }

  /// One-byte ids are 1 to 14; the two-byte form goes up to 255 (RFC 8285 4.2, 4.3).
  std::optional<HeaderExtension> taken_extension(const ExtMap& map, bool is_source) const {
    const auto extension = header_extension_of(map.uri);
    const auto& wanted = config_.extensions;
    if (!extension || std::find(wanted.begin(), wanted.end(), *extension) == wanted.end())
      return std::nullopt;
    const bool fits = map.id <= 14 || (map.id >= 16 && map.id <= 255 && out_.description.extmap_allow_mixed);
    const Direction offered = map.direction.value_or(Direction::SendRecv);
    const bool is_of_sender =
        *extension == HeaderExtension::Rid || *extension == HeaderExtension::RepairedRid;
    if (!fits || (is_source ? !sends(offered) : !receives(offered) || is_of_sender)) return std::nullopt;
    return extension;
  }

  /// The first alternative of each offered stream, in the offered order (lowest layer first by our clients'
  /// rule).
  std::vector<std::string> taken_rids(const MediaDescription& offered) const {
    std::vector<std::string> rids;
    if (!offered.simulcast) return rids;
    for (const auto& alternatives : offered.simulcast->send) {
      if (rids.size() >= config_.max_simulcast_layers) break;
      for (const Rid& rid : offered.rids)
        if (rid.id == alternatives.front().rid && rid.direction == RidDirection::Send) rids.push_back(rid.id);
    }
    return rids;
  }

  static std::string answered_fmtp(const NegotiatedCodec& codec) {
    switch (codec.codec) {
      case Codec::Opus: return "minptime=10;useinbandfec=1";
      case Codec::Red: {
        const std::string inner = std::to_string(*codec.red_inner);
        return inner + "/" + inner;
      }
      case Codec::Vp8: return {};
      case Codec::H264: {
        const auto profile = find_parameter(codec.fmtp, "profile-level-id").value_or("42e01f");
        return "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + std::string(profile);
      }
    }
    return {};
  }

  static MediaDescription rejection_of(const MediaDescription& offered) {
    MediaDescription out;
    out.kind = offered.kind;
    out.kind_name = offered.kind_name;
    out.port = 0;
    out.protocol = offered.protocol;
    out.formats = offered.formats;
    out.mid = offered.mid;
    out.direction = Direction::Inactive;
    return out;
  }

  MediaDescription section_of(const MediaDescription& offered, const LinePlan& plan,
                              const NegotiatedLine& line) const {
    MediaDescription out;
    out.kind = offered.kind;
    out.kind_name = offered.kind_name;
    out.protocol = offered.protocol;
    out.mid = offered.mid;
    out.direction = line.direction;
    out.rtcp_mux = true;
    out.rtcp_rsize = line.rtcp_rsize;
    for (const ExtMap& map : offered.extensions) {
      const auto extension = header_extension_of(map.uri);
      if (!extension || line.extensions.of(*extension) != map.id) continue;
      auto direction = map.direction;
      if (direction) direction = reversed(*direction);
      out.extensions.push_back({map.id, direction, map.uri, {}});
    }
    for (const NegotiatedCodec& codec : line.codecs) add_codec(codec, out);
    if (plan.role == LinePlan::Role::Source)
      add_simulcast(offered, line, out);
    else
      add_slot_stream(plan, line, out);
    return out;
  }

  static void add_codec(const NegotiatedCodec& codec, MediaDescription& out) {
    const uint8_t payload_type = codec.payload_type;
    out.formats.push_back(std::to_string(payload_type));
    out.rtpmaps.push_back(rtpmap_of(codec.codec, payload_type));
    if (codec.transport_cc) out.feedback.push_back({payload_type, "transport-cc"});
    if (codec.fir) out.feedback.push_back({payload_type, "ccm fir"});
    if (codec.nack) out.feedback.push_back({payload_type, "nack"});
    if (codec.pli) out.feedback.push_back({payload_type, "nack pli"});
    if (!codec.fmtp.empty()) out.fmtps.push_back({payload_type, codec.fmtp});
    if (!codec.rtx_payload_type) return;
    out.formats.push_back(std::to_string(*codec.rtx_payload_type));
    out.rtpmaps.push_back({*codec.rtx_payload_type, "rtx", codec.clock_rate, 1});
    out.fmtps.push_back({*codec.rtx_payload_type, "apt=" + std::to_string(payload_type)});
  }

  /// Offered pauses stay pauses (RFC 8853 5.2).
  static void add_simulcast(const MediaDescription& offered, const NegotiatedLine& line,
                            MediaDescription& out) {
    if (line.rids.empty()) return;
    out.simulcast.emplace();
    for (const std::string& rid : line.rids) {
      out.rids.push_back({rid, RidDirection::Recv, {}});
      const auto& streams = offered.simulcast->send;
      const bool paused = std::any_of(streams.begin(), streams.end(), [&](const auto& alternatives) {
        return alternatives.front().rid == rid && alternatives.front().paused;
      });
      out.simulcast->recv.push_back({{rid, paused}});
    }
  }

  void add_slot_stream(const LinePlan& plan, const NegotiatedLine& line, MediaDescription& out) const {
    out.msids.push_back({plan.stream, plan.track});
    out.ssrcs.push_back({plan.ssrc, "cname", config_.cname});
    const bool has_rtx = std::any_of(line.codecs.begin(), line.codecs.end(),
                                     [](const NegotiatedCodec& c) { return c.rtx_payload_type.has_value(); });
    if (!has_rtx || plan.rtx_ssrc == 0) return;
    out.ssrc_groups.push_back({"FID", {plan.ssrc, plan.rtx_ssrc}});
    out.ssrcs.push_back({plan.rtx_ssrc, "cname", config_.cname});
  }

  /// RFC 9429 5.3.1: in a bundle only the tagged section speaks of the transport. The fingerprint stands in
  /// the session part: Firefox 153 crashes on a bundled section that neither has nor inherits one
  /// (docs/browsers.md).
  void write_tagged_transport() {
    const auto first = std::find_if(out_.description.media.begin(), out_.description.media.end(),
                                    [](const MediaDescription& m) { return m.port != 0; });
    first->transport.ice_ufrag = config_.ice_ufrag;
    first->transport.ice_pwd = config_.ice_pwd;
    first->transport.setup = Setup::Passive;
    out_.description.transport.fingerprints = {config_.fingerprint};
    first->candidates = config_.candidates;
    first->end_of_candidates = true;
  }

  const SessionDescription& offer_;
  const AnswerConfig& config_;
  const MediaDescription* tagged_ = nullptr;  ///< of the offer
  Answer out_;
};

}  // namespace

core::Result<Answer, SdpError> make_answer(const SessionDescription& offer, const AnswerConfig& config) {
  return Answerer(offer, config).run();
}

core::Result<Answer, SdpError> make_answer(std::string_view offer, const AnswerConfig& config) {
  auto parsed = parse_session_description(offer);
  if (!parsed) return err(parsed.error());
  return make_answer(*parsed, config);
}

}  // namespace huitang::sdp
