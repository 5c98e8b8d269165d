// What goes into and comes out of the Forwarder: plain values, no pointers, no ownership.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "core/units.h"
#include "rtp/extension.h"
#include "rtp/rtcp.h"
#include "sfu/packet_slab.h"

namespace huitang::sfu {

using PeerId = core::Id<struct PeerTag, uint64_t>;             ///< as serve names it
using GroupId = core::Id<struct GroupTag, uint64_t>;           ///< as serve names it
using SourceNumber = core::Id<struct SourceTag, uint32_t>;     ///< the CSRC; never 0
using ReceiverIndex = core::Id<struct ReceiverTag, uint32_t>;  ///< dense, given by the Forwarder, reused

inline constexpr size_t kMaxLayers = 4;       ///< simulcast layers of one source, 0 = lowest
inline constexpr size_t kPairedSlots = 6;     ///< audio slot k < 6 shares an msid with video slot k
inline constexpr size_t kMaxAudioSlots = 16;  ///< per receiver
inline constexpr size_t kMaxSlots = 128;      ///< per receiver, all uses together
inline constexpr size_t kMaxPrefix = 22;  ///< OSN and VP8 descriptor, or a RED header with five older blocks
inline constexpr uint8_t kForcedPriority = 200;  ///< of a view: put before everybody by the chair
inline constexpr uint32_t kAudioClockRate = 48000;
inline constexpr uint32_t kVideoClockRate = 90000;

enum class SourceKind : uint8_t { Microphone, Camera, Screen, ScreenAudio };
constexpr bool is_audio(SourceKind k) { return k == SourceKind::Microphone || k == SourceKind::ScreenAudio; }

enum class SlotUse : uint8_t { Audio, Video, Share };

/// What of the pictures is forwarded; sound always is. For a worker that has more to send than time.
enum class VideoService : uint8_t {
  Full,
  LowLayers,  ///< of each picture the lowest layer that flows, whatever size it is shown in
  Paused,     ///< nothing on video slots; shares stay, on their lowest layer
};

/// How a payload is packed; the receiver has a payload type for each that it can take.
enum class PayloadFormat : uint8_t { Opus, Red, Vp8, H264 };
inline constexpr size_t kPayloadFormats = 4;
/// Payload type per format; 0 = not negotiated (0 is PCMU and never used dynamically).
using PayloadTypes = std::array<uint8_t, kPayloadFormats>;

// ---- commands
// -----------------------------------------------------------------------------------------------------

struct SlotConfig {
  SlotUse use = SlotUse::Video;
  uint16_t index = 0;  ///< among slots of the same use
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;  ///< 0: no retransmission
  PayloadTypes payload_types{};
  PayloadTypes rtx_payload_types{};  ///< by the format of the original
  friend bool operator==(const SlotConfig&, const SlotConfig&) = default;
};

struct ReceiverConfig {
  PeerId peer;
  std::vector<SlotConfig> slots;  ///< ForwardedPacket::slot is the position here
};

/// What to present with each packet of a source; the number guards against an index that was given to another
/// since.
struct SourceHandle {
  static constexpr uint32_t kNone = 0xffffffff;
  uint32_t index = kNone;
  SourceNumber number;
  bool is_valid() const { return index != kNone; }
  friend bool operator==(const SourceHandle&, const SourceHandle&) = default;
};

struct SourceBinding {
  SourceNumber number;
  PeerId owner;
  SourceKind kind = SourceKind::Microphone;
  GroupId group;
  bool forwarded = true;  ///< false: nothing of it leaves, from the next packet on
  uint8_t layers = 1;     ///< simulcast layers as negotiated
  friend bool operator==(const SourceBinding&, const SourceBinding&) = default;
};

struct GroupConfig {
  GroupId group;
  std::vector<PeerId> listeners;
  uint32_t top_talkers = 0;  ///< 0: the default of 4
  std::vector<SourceNumber> always_heard;
};

/// What one video or share slot shows.
struct SlotView {
  SlotUse use = SlotUse::Video;
  uint16_t index = 0;
  struct Nothing {
    friend bool operator==(const Nothing&, const Nothing&) = default;
  };
  std::variant<Nothing, SourceNumber, GroupId> show;  ///< GroupId: the active speaker's camera
  uint16_t width = 0;                                 ///< in device pixels; 0 = not said
  uint16_t height = 0;
  uint8_t priority = 0;
  friend bool operator==(const SlotView&, const SlotView&) = default;
};

// ---- media
// --------------------------------------------------------------------------------------------------------

/// One opened packet of a source. Upstream RTX is already unwrapped (rtp::unwrap_rtx) into its original. The
/// caller keeps its own hold on the buffer until the call returns; what is needed longer is retained here.
struct MediaPacket {
  SourceHandle source;
  uint8_t layer = 0;
  PayloadFormat format = PayloadFormat::Vp8;
  bool marker = false;
  uint16_t sequence_number = 0;
  uint32_t timestamp = 0;
  std::optional<rtp::AudioLevel> audio_level;
  PayloadRef payload;  ///< the RTP payload without padding; may be empty
};

/// One packet to seal and send. Its RTP payload is `prefix` followed by the bytes of `body`; for RTX the
/// prefix begins with the OSN. Header: these fields, one CSRC, then the extensions that the transport adds
/// (mid of the slot, transport-cc number, send time) and the audio level.
struct ForwardedPacket {
  int64_t sequence = 0;  ///< 48 bits: ROC and number as SRTP counts them, never used twice on one ssrc
  PayloadRef body;
  ReceiverIndex receiver;
  uint32_t ssrc = 0;
  uint32_t timestamp = 0;
  uint32_t csrc = 0;
  uint16_t slot = 0;
  uint8_t payload_type = 0;
  bool marker = false;
  bool is_rtx = false;
  bool is_audio = false;
  bool has_audio_level = false;
  uint8_t prefix_size = 0;
  rtp::AudioLevel audio_level;
  std::array<uint8_t, kMaxPrefix> prefix{};
};
static_assert(sizeof(ForwardedPacket) == 64, "one cache line per copy");

/// The sender report of one slot's stream; the worker adds CNAME and packs several into one datagram.
struct SlotReport {
  ReceiverIndex receiver;
  uint16_t slot = 0;
  rtp::SenderInfo info;
};

/// Filled by the Forwarder, emptied by the worker, memory kept from turn to turn.
struct Batch {
  std::vector<ForwardedPacket> packets;
  std::vector<SlotReport> reports;
  void clear() {
    packets.clear();
    reports.clear();
  }
};

// ---- requests to senders, events to serve
// -----------------------------------------------------------------------------

/// Send a PLI for that layer's stream.
struct KeyFrameRequest {
  SourceNumber source;
  uint8_t layer = 0;
};
/// Ask the sender again for these numbers of that layer's stream.
struct UpstreamNack {
  static constexpr size_t kMaxNumbers = 64;
  SourceNumber source;
  uint8_t layer = 0;
  uint8_t count = 0;
  std::array<uint16_t, kMaxNumbers> numbers{};
};
using Request = std::variant<KeyFrameRequest, UpstreamNack>;

/// Who is let through, loudest first, and the active speaker (number 0: nobody yet).
struct GroupSpeakers {
  static constexpr size_t kMaxSources = 32;
  GroupId group;
  SourceNumber active;
  uint8_t count = 0;
  std::array<SourceNumber, kMaxSources> sources{};
  friend bool operator==(const GroupSpeakers&, const GroupSpeakers&) = default;
};
struct SourceFlow {
  SourceNumber source;
  bool flowing = false;
  uint8_t layers = 0;  ///< bit per layer that flows
};
/// A video or share slot is (or is no longer) without its picture because the receiver's bandwidth does not
/// suffice.
struct SlotPaused {
  PeerId peer;
  SlotUse use = SlotUse::Video;
  uint16_t index = 0;
  SourceNumber source;  ///< 0: no longer
};
/// What the owner of a picture source should send of it from now on; the rest nobody watches (demand_desk.h).
struct LayerDemand {
  SourceNumber source;
  PeerId owner;
  SourceKind kind = SourceKind::Camera;
  uint8_t layers = 0;  ///< bit per layer
};
using Event = std::variant<GroupSpeakers, SourceFlow, SlotPaused, LayerDemand>;

/// The pictures of one receiver in bits per second: for the probing of its bandwidth estimator. What RTX and
/// sound take is not in it.
struct ReceiverDemand {
  core::Bitrate sent;  ///< of the layers that it is sent now
  /// Of the budget with which the next useful step up would be made, its headroom included; `sent` when there
  /// is none.
  core::Bitrate next;
  core::Bitrate wanted;  ///< of everything it shows, each picture as good as its size needs
};

/// A video or share slot begins to carry this layer. For the log of its peer.
struct SlotShows {
  ReceiverIndex receiver;
  SlotUse use = SlotUse::Video;
  uint16_t index = 0;
  SourceNumber source;
  uint8_t layer = 0;
};

}  // namespace huitang::sfu
