// Answers an offer for the node: ICE-lite, DTLS passive, one bundled transport, everything decided by a plan.
//
// Leaves out: who the lines belong to (the caller's plan says), sockets, and codecs themselves.
// Deterministic. RFC 9429 5.3 (answers), 9143 (BUNDLE), 8839 (ICE-lite), 8842 (DTLS roles), 8853 (simulcast).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sdp/error.h"
#include "sdp/negotiated.h"
#include "sdp/session_description.h"

namespace huitang::sdp {

/// What the caller wants with one m-line, found by mid.
struct LinePlan {
  enum class Role : uint8_t {
    Source,  ///< we receive: answered recvonly; the offer must send
    Slot,    ///< we send a virtual stream: answered sendonly; the offer must receive
  };
  std::string mid;
  Role role = Role::Source;
  // Of slots only:
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;  ///< 0: announce none even if RTX is negotiated
  std::string stream;     ///< msid stream id; slots of one stream are kept in lip sync by the browser
  std::string track;      ///< msid track id
};

struct AnswerConfig {
  uint64_t session_id = 0;
  uint64_t session_version = 1;
  std::string ice_ufrag;
  std::string ice_pwd;
  std::vector<Candidate> candidates;
  Fingerprint fingerprint;
  std::string cname;
  /// Taken when offered; the offer's order stays. RTX is taken wherever its codec is.
  std::vector<Codec> codecs = {Codec::Opus, Codec::Red, Codec::Vp8, Codec::H264};
  std::vector<HeaderExtension> extensions = {HeaderExtension::Mid,         HeaderExtension::Rid,
                                             HeaderExtension::RepairedRid, HeaderExtension::AudioLevel,
                                             HeaderExtension::TransportCc, HeaderExtension::AbsSendTime,
                                             HeaderExtension::PlayoutDelay};
  size_t max_simulcast_layers = 4;
  /// Lines of the offer that no plan names are rejected (port 0, in place), as are lines that are neither
  /// audio nor video, lines outside the BUNDLE group, and lines with no codec in common.
  std::vector<LinePlan> lines;
};

struct Answer {
  std::string text;
  SessionDescription description;
  Negotiated negotiated;
};

/// Fails when the offer cannot be parsed, offers no BUNDLE with rtcp-mux over DTLS-SRTP, lacks ICE
/// credentials or a fingerprint, insists on being the DTLS server, uses payload types or extension ids
/// inconsistently across the bundle, or plans a line in a direction that was not offered; and when no line at
/// all is left.
core::Result<Answer, SdpError> make_answer(std::string_view offer, const AnswerConfig& config);
core::Result<Answer, SdpError> make_answer(const SessionDescription& offer, const AnswerConfig& config);

}  // namespace huitang::sdp
