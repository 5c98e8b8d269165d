// A session description as a value: RFC 8866 with the attributes JSEP (RFC 9429) gives meaning to.
//
// What is understood has a typed place; every other attribute is kept as text in `other`, so that
// parse(write(parse(x))) == parse(x). Kept apart from meaning: this file knows no offer and no answer (see
// answer.h). RFCs: 8866 SDP, 9143 BUNDLE, 5888 mid, 8830 msid, 8839 ICE, 8122 fingerprint, 4145/8842 setup,
// 8858 rtcp-mux, 5506 rtcp-rsize, 4585 rtcp-fb, 8285 extmap, 5576 ssrc, 8851 rid, 8853 simulcast.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sdp/error.h"

namespace huitang::sdp {

enum class Direction : uint8_t { SendRecv, SendOnly, RecvOnly, Inactive };
enum class Setup : uint8_t { ActPass, Active, Passive, HoldConn };
enum class MediaKind : uint8_t { Audio, Video, Application, Other };
enum class RidDirection : uint8_t { Send, Recv };

std::string_view to_string(Direction direction);
std::string_view to_string(Setup setup);
std::string_view to_string(MediaKind kind);
/// sendonly <-> recvonly.
Direction reversed(Direction direction);
constexpr bool sends(Direction d) { return d == Direction::SendRecv || d == Direction::SendOnly; }
constexpr bool receives(Direction d) { return d == Direction::SendRecv || d == Direction::RecvOnly; }

/// An attribute without a typed place: a=NAME or a=NAME:VALUE.
struct Attribute {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

/// a=group:SEMANTICS MID...
struct Group {
  std::string semantics;
  std::vector<std::string> mids;
  friend bool operator==(const Group&, const Group&) = default;
};

/// a=fingerprint. `hash` in lower case ("sha-256"); `value` the digest's bytes.
struct Fingerprint {
  std::string hash;
  std::vector<uint8_t> value;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// a=candidate (RFC 8839 5.1). The address stays text: browsers write mDNS names (*.local) too.
struct Candidate {
  std::string foundation;
  uint16_t component = 1;
  std::string transport;  ///< lower case: "udp", "tcp"
  uint32_t priority = 0;
  std::string address;
  uint16_t port = 0;
  std::string type;  ///< "host", "srflx", "prflx", "relay"
  std::string related_address;
  std::optional<uint16_t> related_port;
  std::string extensions;  ///< the rest as written, "tcptype passive generation 0 ..."
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// What section or session says of its transport. In a bundle the tagged section speaks for all.
struct TransportAttributes {
  std::string ice_ufrag;
  std::string ice_pwd;
  std::vector<std::string> ice_options;
  std::vector<Fingerprint> fingerprints;
  std::optional<Setup> setup;
  friend bool operator==(const TransportAttributes&, const TransportAttributes&) = default;
};

/// a=rtpmap:PT NAME/CLOCK[/CHANNELS]
struct RtpMap {
  uint8_t payload_type = 0;
  std::string encoding;  ///< as written; compared without case
  uint32_t clock_rate = 0;
  uint8_t channels = 1;
  friend bool operator==(const RtpMap&, const RtpMap&) = default;
};

/// a=fmtp:PT PARAMETERS
struct Fmtp {
  uint8_t payload_type = 0;
  std::string parameters;
  friend bool operator==(const Fmtp&, const Fmtp&) = default;
};

/// a=rtcp-fb:PT VALUE ("nack pli"); no payload type stands for "*".
struct RtcpFeedback {
  std::optional<uint8_t> payload_type;
  std::string value;
  friend bool operator==(const RtcpFeedback&, const RtcpFeedback&) = default;
};

/// a=extmap:ID[/DIRECTION] URI [ATTRIBUTES]
struct ExtMap {
  uint16_t id = 0;
  std::optional<Direction> direction;
  std::string uri;
  std::string attributes;
  friend bool operator==(const ExtMap&, const ExtMap&) = default;
};

/// a=msid:STREAM [TRACK]; a stream of "-" is "no stream".
struct Msid {
  std::string stream;
  std::string track;
  friend bool operator==(const Msid&, const Msid&) = default;
};

/// a=ssrc:SSRC NAME[:VALUE]
struct SsrcAttribute {
  uint32_t ssrc = 0;
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(const SsrcAttribute&, const SsrcAttribute&) = default;
};

/// a=ssrc-group:SEMANTICS SSRC...
struct SsrcGroup {
  std::string semantics;
  std::vector<uint32_t> ssrcs;
  friend bool operator==(const SsrcGroup&, const SsrcGroup&) = default;
};

/// a=rid:ID DIRECTION [RESTRICTIONS]
struct Rid {
  std::string id;
  RidDirection direction = RidDirection::Send;
  std::string restrictions;
  friend bool operator==(const Rid&, const Rid&) = default;
};

/// One stream of a=simulcast with its alternatives, best first; "~" before an id is a pause.
struct SimulcastId {
  std::string rid;
  bool paused = false;
  friend bool operator==(const SimulcastId&, const SimulcastId&) = default;
};
struct Simulcast {
  std::vector<std::vector<SimulcastId>> send;
  std::vector<std::vector<SimulcastId>> recv;
  friend bool operator==(const Simulcast&, const Simulcast&) = default;
};

/// Where a section stood in the text it was parsed from, from 1. For error messages; no part of the value.
struct SourceLine {
  size_t number = 0;
  friend bool operator==(SourceLine, SourceLine) { return true; }
};

/// One m= section.
struct MediaDescription {
  SourceLine line;

  MediaKind kind = MediaKind::Other;
  std::string kind_name;  ///< as written, "audio"
  uint16_t port = 9;      ///< 0: rejected (or, in an offer, bundle-only)
  std::string protocol = "UDP/TLS/RTP/SAVPF";
  std::vector<std::string> formats;  ///< payload types for RTP, as written
  std::string connection = "IN IP4 0.0.0.0";
  std::vector<std::string> bandwidth;  ///< "AS:500"

  std::string mid;
  std::optional<Direction> direction;  ///< absent: the session's, else sendrecv
  bool bundle_only = false;
  bool rtcp_mux = false;
  bool rtcp_rsize = false;
  bool end_of_candidates = false;
  bool extmap_allow_mixed = false;
  TransportAttributes transport;
  std::vector<Candidate> candidates;
  std::vector<ExtMap> extensions;
  std::vector<Msid> msids;
  std::vector<RtpMap> rtpmaps;
  std::vector<RtcpFeedback> feedback;
  std::vector<Fmtp> fmtps;
  std::vector<Rid> rids;
  std::optional<Simulcast> simulcast;
  std::vector<SsrcGroup> ssrc_groups;
  std::vector<SsrcAttribute> ssrcs;
  std::vector<Attribute> other;

  const RtpMap* find_rtpmap(uint8_t payload_type) const;
  /// Empty when there is none.
  std::string_view fmtp_of(uint8_t payload_type) const;
  friend bool operator==(const MediaDescription&, const MediaDescription&) = default;
};

struct Origin {
  std::string username = "-";
  uint64_t session_id = 0;
  uint64_t session_version = 0;
  std::string address = "IN IP4 127.0.0.1";
  friend bool operator==(const Origin&, const Origin&) = default;
};

struct SessionDescription {
  Origin origin;
  std::string name = "-";
  std::string connection;              ///< session-level c=, empty when absent
  std::vector<std::string> bandwidth;  ///< "AS:500"
  std::vector<std::string> timing;     ///< t= values; browsers write "0 0"

  std::vector<Group> groups;
  bool ice_lite = false;
  bool extmap_allow_mixed = false;
  std::optional<Direction> direction;
  TransportAttributes transport;
  std::vector<Attribute> other;
  std::vector<MediaDescription> media;

  /// The first BUNDLE group, or null.
  const Group* bundle() const;
  const MediaDescription* find_media(std::string_view mid) const;
  friend bool operator==(const SessionDescription&, const SessionDescription&) = default;
};

/// Reads a description. Line ends may be CRLF or LF. Never throws; bounded by limits.h. The line order of RFC
/// 8866 is required for v= o= s= and m=; other letters the RFC knows (i u e p r z k) are checked for place
/// and dropped.
core::Result<SessionDescription, SdpError> parse_session_description(std::string_view text);

/// Writes with CRLF, one fixed order of attributes.
std::string write_session_description(const SessionDescription& description);

/// "candidate:..." as carried by a=candidate, without the "a=" (also what browsers give to JavaScript).
core::Result<Candidate, SdpError> parse_candidate(std::string_view text);
std::string write_candidate(const Candidate& candidate);

}  // namespace huitang::sdp
