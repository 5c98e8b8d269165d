// The client's side for bots and links: writes the one offer of a peer and reads the node's answer to it.
//
// Lines are those of the web client: sources (sendonly) first, then receiving slots (recvonly), all at once.
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

/// The same values as proto's LineUse, so that an edge may convert by number.
enum class LineUse : uint8_t {
  Microphone = 1,
  Camera = 2,
  Screen = 3,
  ScreenAudio = 4,
  AudioSlot = 5,
  VideoSlot = 6,
  ShareSlot = 7,
};
constexpr MediaKind kind_of(LineUse use) {
  return use == LineUse::Microphone || use == LineUse::ScreenAudio || use == LineUse::AudioSlot
             ? MediaKind::Audio
             : MediaKind::Video;
}
constexpr bool is_source(LineUse use) { return use <= LineUse::ScreenAudio; }

struct OfferedLine {
  std::string mid;
  LineUse use = LineUse::Microphone;
  uint32_t index = 0;  ///< slot number within its use
  // Of sources only. With rids the streams are told apart by the rid extension and no ssrc is announced.
  std::vector<std::string> rids;  ///< lowest layer first
  uint32_t ssrc = 0;              ///< announced when not 0 and without rids
  uint32_t rtx_ssrc = 0;
  std::string stream;  ///< msid
  std::string track;
};

struct OfferConfig {
  uint64_t session_id = 0;
  uint64_t session_version = 1;
  std::string ice_ufrag;
  std::string ice_pwd;
  Fingerprint fingerprint;
  std::string cname;
  std::vector<Candidate> candidates;  ///< may be empty: towards an ICE-lite node one's own are not needed
  std::vector<Codec> audio_codecs = {Codec::Opus};
  std::vector<Codec> video_codecs = {Codec::Vp8};
  std::vector<OfferedLine> lines;
};

/// Payload types and extension ids that make_offer uses; fixed, so that a bot may prepare packets before the
/// answer.
inline constexpr uint8_t kOfferOpus = 111;
inline constexpr uint8_t kOfferRed = 63;
inline constexpr uint8_t kOfferVp8 = 96;
inline constexpr uint8_t kOfferVp8Rtx = 97;
inline constexpr uint8_t kOfferH264 = 102;
inline constexpr uint8_t kOfferH264Rtx = 103;

/// The lines of the web client: microphone "0", camera "1" (with `camera_rids`), screen "2", screen audio
/// "3", then `audio_slots`, `video_slots` and `share_slots` receiving lines with rising mids.
struct ClientShape {
  uint32_t audio_slots = 6;
  uint32_t video_slots = 16;
  uint32_t share_slots = 2;
  std::vector<std::string> camera_rids = {"q", "h", "f"};
};
std::vector<OfferedLine> client_lines(const ClientShape& shape);

SessionDescription make_offer(const OfferConfig& config);

/// What the answer settles, seen from the offerer. Fails when it does not fit the offer.
core::Result<Negotiated, SdpError> read_answer(const SessionDescription& offer, std::string_view answer);

}  // namespace huitang::sdp
