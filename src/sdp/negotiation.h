// Readings of one media section that answering and the reading of an answer have in common. Internal to
// `sdp`.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sdp/negotiated.h"
#include "sdp/session_description.h"

namespace huitang::sdp {

RtpMap rtpmap_of(Codec codec, uint8_t payload_type);
/// The codec of a payload type, when it is one of ours in a form we take.
std::optional<Codec> codec_of(const MediaDescription& media, const RtpMap& map);
/// Codecs of the section among `wanted`, in its order, paired with their RTX; one payload type for each
/// codec.
std::vector<NegotiatedCodec> read_codecs(const MediaDescription& media, const std::vector<Codec>& wanted);
/// Fills remote_ssrcs, remote_rtx and remote_msids.
void read_remote_streams(const MediaDescription& media, NegotiatedLine& line);
/// The section's own attributes before the session's.
RemoteTransport read_transport(const SessionDescription& session, const MediaDescription& media);
Direction direction_of(const SessionDescription& session, const MediaDescription& media);
bool is_bundled(const SessionDescription& session, const MediaDescription& media);
/// Profiles that JSEP says to treat as DTLS-SRTP with feedback (RFC 9429 5.1.2).
bool is_secure_rtp(std::string_view protocol);

}  // namespace huitang::sdp
