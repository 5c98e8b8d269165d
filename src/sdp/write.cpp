// Writing of a description: one fixed order, so that equal values give equal text (golden files rest on it).
#include "sdp/session_description.h"

namespace huitang::sdp {
namespace {

class Writer {
 public:
  /// One line made of its parts.
  template <class... Parts>
  void line(const Parts&... parts) {
    (append(parts), ...);
    text_ += "\r\n";
  }
  std::string take_text() { return std::move(text_); }

 private:
  void append(std::string_view part) { text_ += part; }
  void append(uint64_t number) { text_ += std::to_string(number); }
  std::string text_;
};

std::string joined(const std::vector<std::string>& words, const char* before_each) {
  std::string text;
  for (const std::string& word : words) text.append(before_each).append(word);
  return text;
}

std::string hex_pairs(const std::vector<uint8_t>& bytes) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string text;
  for (const uint8_t b : bytes) {
    if (!text.empty()) text += ':';
    text += digits[b >> 4];
    text += digits[b & 15];
  }
  return text;
}

void write_transport(Writer& out, const TransportAttributes& transport) {
  if (!transport.ice_ufrag.empty()) out.line("a=ice-ufrag:", transport.ice_ufrag);
  if (!transport.ice_pwd.empty()) out.line("a=ice-pwd:", transport.ice_pwd);
  if (!transport.ice_options.empty())
    out.line("a=ice-options:", joined(transport.ice_options, " ").substr(1));
  for (const Fingerprint& f : transport.fingerprints)
    out.line("a=fingerprint:", f.hash, " ", hex_pairs(f.value));
  if (transport.setup) out.line("a=setup:", to_string(*transport.setup));
}

void write_other(Writer& out, const std::vector<Attribute>& attributes) {
  for (const Attribute& a : attributes) {
    if (a.value)
      out.line("a=", a.name, ":", *a.value);
    else
      out.line("a=", a.name);
  }
}

void write_extension(Writer& out, const ExtMap& map) {
  const std::string direction = map.direction ? "/" + std::string(to_string(*map.direction)) : std::string();
  const std::string attributes = map.attributes.empty() ? std::string() : " " + map.attributes;
  out.line("a=extmap:", uint64_t{map.id}, direction, " ", map.uri, attributes);
}

void write_formats(Writer& out, const MediaDescription& media) {
  for (const RtpMap& map : media.rtpmaps) {
    const std::string channels = map.channels > 1 ? "/" + std::to_string(map.channels) : std::string();
    out.line("a=rtpmap:", uint64_t{map.payload_type}, " ", map.encoding, "/", uint64_t{map.clock_rate},
             channels);
  }
  for (const RtcpFeedback& feedback : media.feedback) {
    const std::string target = feedback.payload_type ? std::to_string(*feedback.payload_type) : "*";
    out.line("a=rtcp-fb:", target, " ", feedback.value);
  }
  for (const Fmtp& fmtp : media.fmtps) out.line("a=fmtp:", uint64_t{fmtp.payload_type}, " ", fmtp.parameters);
}

std::string simulcast_list(const std::vector<std::vector<SimulcastId>>& streams) {
  std::string text;
  for (const auto& alternatives : streams) {
    if (!text.empty()) text += ';';
    for (size_t i = 0; i < alternatives.size(); ++i) {
      if (i != 0) text += ',';
      if (alternatives[i].paused) text += '~';
      text += alternatives[i].rid;
    }
  }
  return text;
}

void write_simulcast(Writer& out, const Simulcast& simulcast) {
  std::string text;
  if (!simulcast.send.empty()) text += " send " + simulcast_list(simulcast.send);
  if (!simulcast.recv.empty()) text += " recv " + simulcast_list(simulcast.recv);
  if (!text.empty()) out.line("a=simulcast:", text.substr(1));
}

void write_streams(Writer& out, const MediaDescription& media) {
  for (const Rid& rid : media.rids) {
    const std::string restrictions = rid.restrictions.empty() ? std::string() : " " + rid.restrictions;
    out.line("a=rid:", rid.id, rid.direction == RidDirection::Send ? " send" : " recv", restrictions);
  }
  if (media.simulcast) write_simulcast(out, *media.simulcast);
  for (const SsrcGroup& group : media.ssrc_groups) {
    std::string ssrcs;
    for (const uint32_t ssrc : group.ssrcs) ssrcs += " " + std::to_string(ssrc);
    out.line("a=ssrc-group:", group.semantics, ssrcs);
  }
  for (const SsrcAttribute& a : media.ssrcs) {
    const std::string value = a.value ? ":" + *a.value : std::string();
    out.line("a=ssrc:", uint64_t{a.ssrc}, " ", a.name, value);
  }
}

void write_media(Writer& out, const MediaDescription& media) {
  out.line("m=", media.kind_name, " ", uint64_t{media.port}, " ", media.protocol, joined(media.formats, " "));
  if (!media.connection.empty()) out.line("c=", media.connection);
  for (const std::string& bandwidth : media.bandwidth) out.line("b=", bandwidth);
  if (!media.mid.empty()) out.line("a=mid:", media.mid);
  if (media.direction) out.line("a=", to_string(*media.direction));
  if (media.bundle_only) out.line("a=bundle-only");
  if (media.rtcp_mux) out.line("a=rtcp-mux");
  if (media.rtcp_rsize) out.line("a=rtcp-rsize");
  write_transport(out, media.transport);
  for (const Candidate& candidate : media.candidates) out.line("a=", write_candidate(candidate));
  if (media.end_of_candidates) out.line("a=end-of-candidates");
  if (media.extmap_allow_mixed) out.line("a=extmap-allow-mixed");
  for (const ExtMap& map : media.extensions) write_extension(out, map);
  for (const Msid& msid : media.msids)
    out.line("a=msid:", msid.stream, msid.track.empty() ? std::string() : " " + msid.track);
  write_formats(out, media);
  write_streams(out, media);
  write_other(out, media.other);
}

}  // namespace

std::string write_candidate(const Candidate& c) {
  std::string text = "candidate:" + c.foundation + " " + std::to_string(c.component) + " " + c.transport +
                     " " + std::to_string(c.priority) + " " + c.address + " " + std::to_string(c.port) +
                     " typ " + c.type;
  if (!c.related_address.empty()) text += " raddr " + c.related_address;
  if (c.related_port) text += " rport " + std::to_string(*c.related_port);
  if (!c.extensions.empty()) text += " " + c.extensions;
  return text;
}

std::string write_session_description(const SessionDescription& session) {
  Writer out;
  out.line("v=0");
  const Origin& o = session.origin;
  out.line("o=", o.username, " ", o.session_id, " ", o.session_version, " ", o.address);
  out.line("s=", session.name);
  if (!session.connection.empty()) out.line("c=", session.connection);
  for (const std::string& bandwidth : session.bandwidth) out.line("b=", bandwidth);
  for (const std::string& timing : session.timing) out.line("t=", timing);
  for (const Group& group : session.groups) out.line("a=group:", group.semantics, joined(group.mids, " "));
  if (session.ice_lite) out.line("a=ice-lite");
  if (session.extmap_allow_mixed) out.line("a=extmap-allow-mixed");
  if (session.direction) out.line("a=", to_string(*session.direction));
  write_transport(out, session.transport);
  write_other(out, session.other);
  for (const MediaDescription& media : session.media) write_media(out, media);
  return out.take_text();
}

}  // namespace huitang::sdp
