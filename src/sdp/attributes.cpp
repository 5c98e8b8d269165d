#include "sdp/attributes.h"

#include <algorithm>
#include <iterator>

#include "sdp/limits.h"
#include "sdp/text.h"

namespace huitang::sdp {
namespace {

using Value = std::string_view;

// --- transport: at either level
// -------------------------------------------------------------------------------

Complaint read_ice_ufrag(Value value, TransportAttributes& transport) {
  if (value.size() < 4 || value.size() > 256 || !is_ice_text(value))
    return malformed("a=ice-ufrag is not 4 to 256 ice-chars (RFC 8839 5.4)");
  transport.ice_ufrag = value;
  return {};
}

Complaint read_ice_pwd(Value value, TransportAttributes& transport) {
  if (value.size() < 22 || value.size() > 256 || !is_ice_text(value))
    return malformed("a=ice-pwd is not 22 to 256 ice-chars (RFC 8839 5.4)");
  transport.ice_pwd = value;
  return {};
}

Complaint read_ice_options(Value value, TransportAttributes& transport) {
  for (Words words(value); !words.is_done();) {
    const std::string_view word = words.next();
    if (!is_token(word)) return malformed("a=ice-options holds no token");
    if (transport.ice_options.size() >= 16) return too_large("a=ice-options holds too many");
    transport.ice_options.emplace_back(word);
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// RFC 8122 5: HASH SP 2HEX *(":" 2HEX)
Complaint read_fingerprint(Value value, TransportAttributes& transport) {
  if (transport.fingerprints.size() >= 8) return too_large("too many a=fingerprint");
  Words words(value);
  Fingerprint fingerprint;
  fingerprint.hash = to_lower(words.next());
  const std::string_view hex = words.next();
  if (!is_token(fingerprint.hash) || !words.is_done()) return malformed("a=fingerprint is not HASH DIGEST");
  if (hex.size() % 3 != 2 || hex.size() > 64 * 3)
    return malformed("a=fingerprint has a digest of odd length");
  for (size_t i = 0; i < hex.size(); i += 3) {
    const int high = hex_digit(hex[i]);
    const int low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0 || (i + 2 < hex.size() && hex[i + 2] != ':'))
      return malformed("a=fingerprint has a digest that is not hex pairs");
    fingerprint.value.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  transport.fingerprints.push_back(std::move(fingerprint));
  return {};
}

Complaint read_setup(Value value, TransportAttributes& transport) {
  for (const Setup setup : {Setup::ActPass, Setup::Active, Setup::Passive, Setup::HoldConn})
    if (value == to_string(setup)) return transport.setup = setup, Complaint{};
  return malformed("a=setup is none of actpass, active, passive, holdconn");
}

// --- session level
// --------------------------------------------------------------------------------------------

Complaint read_group(Value value, SessionDescription& session) {
  if (session.groups.size() >= 64) return too_large("too many a=group");
  Words words(value);
  Group group;
  group.semantics = words.next();
  if (!is_token(group.semantics)) return malformed("a=group without semantics");
  while (!words.is_done()) {
    if (group.mids.size() >= kMaxMediaSections) return too_large("a=group names too many mids");
    group.mids.emplace_back(words.next());
    if (!is_token(group.mids.back())) return malformed("a=group names a mid that is no token");
  }
  session.groups.push_back(std::move(group));
  return {};
}

// --- media level
// ----------------------------------------------------------------------------------------------

Complaint read_mid(Value value, MediaDescription& media) {
  if (!is_token(value)) return malformed("a=mid is no token");
  if (value.size() > kMaxIdBytes) return too_large("a=mid is longer than 16 bytes");
  if (!media.mid.empty()) return malformed("a=mid stands twice");
  media.mid = value;
  return {};
}

Complaint read_candidate(Value value, MediaDescription& media) {
  if (media.candidates.size() >= kMaxCandidates) return too_large("too many a=candidate");
  auto candidate = parse_candidate(std::string("candidate:").append(value));
  if (!candidate) return malformed("a=candidate is not as RFC 8839 5.1 has it");
  media.candidates.push_back(std::move(*candidate));
  return {};
}

Complaint read_msid(Value value, MediaDescription& media) {
  Words words(value);
  Msid msid;
  msid.stream = words.next();
  msid.track = words.next();
  if (msid.stream.empty() || !words.is_done()) return malformed("a=msid is not STREAM [TRACK]");
  media.msids.push_back(std::move(msid));
  return {};
}

// RFC 8866 6.6: a=rtpmap:PT NAME/CLOCK[/CHANNELS]
Complaint read_rtpmap(Value value, MediaDescription& media) {
  Words words(value);
  const auto payload_type = parse_payload_type(words.next());
  const auto [encoding, clock_and_channels] = cut(words.next(), '/');
  if (!payload_type) return malformed("a=rtpmap without a payload type of 0 to 127");
  if (!is_token(encoding) || !clock_and_channels || !words.is_done())
    return malformed("a=rtpmap is not PT NAME/CLOCK[/CHANNELS]");
  const auto [clock, channels] = cut(*clock_and_channels, '/');
  RtpMap map{*payload_type, std::string(encoding), parse_number<uint32_t>(clock).value_or(0), 1};
  if (map.clock_rate == 0) return malformed("a=rtpmap without a clock rate");
  if (channels) map.channels = parse_number<uint8_t>(*channels).value_or(0);
  if (map.channels == 0) return malformed("a=rtpmap with a bad number of channels");
  if (media.find_rtpmap(map.payload_type)) return malformed("a=rtpmap stands twice for one payload type");
  media.rtpmaps.push_back(std::move(map));
  return {};
}

Complaint read_fmtp(Value value, MediaDescription& media) {
  Words words(value);
  const std::string_view format = words.next();
  const auto payload_type = parse_payload_type(format);
  if (!payload_type) return malformed("a=fmtp without a payload type of 0 to 127");
  media.fmtps.push_back({*payload_type, std::string(words.rest())});
  return {};
}

Complaint read_rtcp_fb(Value value, MediaDescription& media) {
  Words words(value);
  const std::string_view target = words.next();
  RtcpFeedback feedback;
  if (target != "*") {
    feedback.payload_type = parse_payload_type(target);
    if (!feedback.payload_type) return malformed("a=rtcp-fb without a payload type of 0 to 127 or *");
  }
  if (words.is_done()) return malformed("a=rtcp-fb says nothing");
  feedback.value = words.rest();
  media.feedback.push_back(std::move(feedback));
  return {};
}

std::optional<Direction> parse_direction(std::string_view text) {
  for (const Direction d :
       {Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive})
    if (text == to_string(d)) return d;
  return std::nullopt;
}

// RFC 8285 8: a=extmap:ID[/DIRECTION] URI [ATTRIBUTES]
Complaint read_extmap(Value value, MediaDescription& media) {
  Words words(value);
  const auto [id, direction] = cut(words.next(), '/');
  ExtMap map;
  map.id = parse_number<uint16_t>(id).value_or(0);
  if (map.id == 0) return malformed("a=extmap without an id above 0");
  if (direction) {
    map.direction = parse_direction(*direction);
    if (!map.direction) return malformed("a=extmap with a direction that is none");
  }
  map.uri = words.next();
  if (map.uri.empty()) return malformed("a=extmap without a URI");
  map.attributes = words.rest();
  media.extensions.push_back(std::move(map));
  return {};
}

Complaint read_ssrc(Value value, MediaDescription& media) {
  Words words(value);
  const auto ssrc = parse_number<uint32_t>(words.next());
  const auto [name, text] = cut(words.rest(), ':');
  if (!ssrc || !is_token(name)) return malformed("a=ssrc is not SSRC NAME[:VALUE]");
  media.ssrcs.push_back({*ssrc, std::string(name), text ? std::optional<std::string>(*text) : std::nullopt});
  return {};
}

Complaint read_ssrc_group(Value value, MediaDescription& media) {
  Words words(value);
  SsrcGroup group;
  group.semantics = words.next();
  while (!words.is_done()) {
    const auto ssrc = parse_number<uint32_t>(words.next());
    if (!ssrc) return malformed("a=ssrc-group names no SSRC");
    if (group.ssrcs.size() >= 32) return too_large("a=ssrc-group names too many");
    group.ssrcs.push_back(*ssrc);
  }
  if (!is_token(group.semantics) || group.ssrcs.empty())
    return malformed("a=ssrc-group is not SEMANTICS SSRC...");
  media.ssrc_groups.push_back(std::move(group));
  return {};
}

// RFC 8851 10: rid-id = 1*(alpha-numeric / "-" / "_"); browsers and RFC 8852 allow no "-" and "_" but take
// them.
bool is_rid(std::string_view text) {
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
      return false;
  return !text.empty() && text.size() <= kMaxIdBytes;
}

Complaint read_rid(Value value, MediaDescription& media) {
  if (media.rids.size() >= kMaxRids) return too_large("too many a=rid");
  Words words(value);
  Rid rid;
  rid.id = words.next();
  if (!is_rid(rid.id)) return malformed("a=rid without an id of 1 to 16 letters and digits");
  const std::string_view direction = words.next();
  if (direction != "send" && direction != "recv") return malformed("a=rid is neither send nor recv");
  rid.direction = direction == "send" ? RidDirection::Send : RidDirection::Recv;
  rid.restrictions = words.rest();
  for (const Rid& known : media.rids)
    if (known.id == rid.id) return malformed("a=rid stands twice for one id");
  media.rids.push_back(std::move(rid));
  return {};
}

// RFC 8853 5.1: sim-str-list = sim-alt-list *( ";" sim-alt-list ), sim-alt-list = sim-id *( "," sim-id ),
// sim-id = ["~"] rid-id
Complaint read_simulcast_list(std::string_view text, std::vector<std::vector<SimulcastId>>& streams) {
  if (!streams.empty()) return malformed("a=simulcast names one direction twice");
  for (std::optional<std::string_view> left = text; left;) {
    const auto [stream, more_streams] = cut(*left, ';');
    if (streams.size() >= kMaxRids) return too_large("a=simulcast names too many streams");
    auto& alternatives = streams.emplace_back();
    for (std::optional<std::string_view> choices = stream; choices;) {
      auto [id, more] = cut(*choices, ',');
      const bool paused = id.starts_with('~');
      if (paused) id.remove_prefix(1);
      if (!is_rid(id)) return malformed("a=simulcast names no rid");
      if (alternatives.size() >= kMaxRids) return too_large("a=simulcast names too many alternatives");
      alternatives.push_back({std::string(id), paused});
      choices = more;
    }
    left = more_streams;
  }
  return {};
}

Complaint read_simulcast(Value value, MediaDescription& media) {
  if (media.simulcast) return malformed("a=simulcast stands twice");
  Simulcast simulcast;
  Words words(value);
  while (!words.is_done()) {
    const std::string_view direction = words.next();
    if (direction != "send" && direction != "recv") return malformed("a=simulcast is neither send nor recv");
    const Complaint wrong =
        read_simulcast_list(words.next(), direction == "send" ? simulcast.send : simulcast.recv);
    if (wrong) return wrong;
  }
  if (simulcast.send.empty() && simulcast.recv.empty()) return malformed("a=simulcast says nothing");
  media.simulcast = std::move(simulcast);
  return {};
}

template <auto Read>
Complaint into_transport(Value value, SessionDescription& session) {
  return Read(value, session.transport);
}
template <auto Read>
Complaint into_transport(Value value, MediaDescription& media) {
  return Read(value, media.transport);
}
template <auto Member, class Section>
Complaint set_flag(Value, Section& section) {
  section.*Member = true;
  return {};
}
template <Direction D, class Section>
Complaint set_direction(Value, Section& section) {
  section.direction = D;
  return {};
}

template <class Section>
struct Row {
  std::string_view name;
  bool has_value;
  Complaint (*read)(Value, Section&);
};

constexpr Row<SessionDescription> kSessionRows[] = {
    {"group", true, read_group},
    {"ice-lite", false, set_flag<&SessionDescription::ice_lite, SessionDescription>},
    {"ice-ufrag", true, into_transport<read_ice_ufrag>},
    {"ice-pwd", true, into_transport<read_ice_pwd>},
    {"ice-options", true, into_transport<read_ice_options>},
    {"fingerprint", true, into_transport<read_fingerprint>},
    {"setup", true, into_transport<read_setup>},
    {"extmap-allow-mixed", false, set_flag<&SessionDescription::extmap_allow_mixed, SessionDescription>},
    {"sendrecv", false, set_direction<Direction::SendRecv, SessionDescription>},
    {"sendonly", false, set_direction<Direction::SendOnly, SessionDescription>},
    {"recvonly", false, set_direction<Direction::RecvOnly, SessionDescription>},
    {"inactive", false, set_direction<Direction::Inactive, SessionDescription>},
};

constexpr Row<MediaDescription> kMediaRows[] = {
    {"rtcp-fb", true, read_rtcp_fb},
    {"rtpmap", true, read_rtpmap},
    {"fmtp", true, read_fmtp},
    {"extmap", true, read_extmap},
    {"ssrc", true, read_ssrc},
    {"ssrc-group", true, read_ssrc_group},
    {"mid", true, read_mid},
    {"msid", true, read_msid},
    {"rid", true, read_rid},
    {"simulcast", true, read_simulcast},
    {"candidate", true, read_candidate},
    {"end-of-candidates", false, set_flag<&MediaDescription::end_of_candidates, MediaDescription>},
    {"ice-ufrag", true, into_transport<read_ice_ufrag>},
    {"ice-pwd", true, into_transport<read_ice_pwd>},
    {"ice-options", true, into_transport<read_ice_options>},
    {"fingerprint", true, into_transport<read_fingerprint>},
    {"setup", true, into_transport<read_setup>},
    {"rtcp-mux", false, set_flag<&MediaDescription::rtcp_mux, MediaDescription>},
    {"rtcp-rsize", false, set_flag<&MediaDescription::rtcp_rsize, MediaDescription>},
    {"bundle-only", false, set_flag<&MediaDescription::bundle_only, MediaDescription>},
    {"extmap-allow-mixed", false, set_flag<&MediaDescription::extmap_allow_mixed, MediaDescription>},
    {"sendrecv", false, set_direction<Direction::SendRecv, MediaDescription>},
    {"sendonly", false, set_direction<Direction::SendOnly, MediaDescription>},
    {"recvonly", false, set_direction<Direction::RecvOnly, MediaDescription>},
    {"inactive", false, set_direction<Direction::Inactive, MediaDescription>},
};

template <class Section, size_t N>
Complaint read_by_table(const Row<Section> (&rows)[N], std::string_view name,
                        std::optional<std::string_view> value, Section& section) {
  const auto* row =
      std::find_if(std::begin(rows), std::end(rows), [&](const auto& r) { return r.name == name; });
  if (row == std::end(rows)) {
    if (!is_token(name)) return malformed("a= without a name");
    section.other.push_back({std::string(name), value ? std::optional<std::string>(*value) : std::nullopt});
    return {};
  }
  if (row->has_value && !value) return malformed("the attribute needs a value");
  return row->read(value.value_or(std::string_view()), section);
}

}  // namespace

Complaint read_session_attribute(std::string_view name, std::optional<std::string_view> value,
                                 SessionDescription& session) {
  return read_by_table(kSessionRows, name, value, session);
}

Complaint read_media_attribute(std::string_view name, std::optional<std::string_view> value,
                               MediaDescription& media) {
  return read_by_table(kMediaRows, name, value, media);
}

}  // namespace huitang::sdp
