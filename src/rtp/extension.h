// The header extensions Huitang uses, typed, and the ids that an offer/answer gave them.
//
// Feeds: `peer` fills ExtensionIds from the SDP. Reading a value that was not negotiated or is malformed
// gives nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time.h"
#include "rtp/packet.h"

namespace huitang::rtp {

inline constexpr std::string_view kMidUri = "urn:ietf:params:rtp-hdrext:sdes:mid";
inline constexpr std::string_view kRidUri = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
inline constexpr std::string_view kRepairedRidUri = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
inline constexpr std::string_view kAudioLevelUri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
inline constexpr std::string_view kTransportCcUri =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
inline constexpr std::string_view kAbsSendTimeUri =
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
inline constexpr std::string_view kPlayoutDelayUri =
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

enum class ExtensionKind : uint8_t {
  Mid,
  Rid,
  RepairedRid,
  AudioLevel,
  TransportCc,
  AbsSendTime,
  PlayoutDelay,
};
inline constexpr size_t kExtensionKinds = 7;

std::string_view uri_of(ExtensionKind kind);
/// Absent for extensions we do not use.
std::optional<ExtensionKind> extension_kind_of(std::string_view uri);

/// The negotiated id of each extension; 0 = absent.
struct ExtensionIds {
  uint8_t mid = 0;
  uint8_t rid = 0;
  uint8_t repaired_rid = 0;
  uint8_t audio_level = 0;
  uint8_t transport_cc = 0;
  uint8_t abs_send_time = 0;
  uint8_t playout_delay = 0;

  uint8_t& of(ExtensionKind kind);
  uint8_t of(ExtensionKind kind) const { return const_cast<ExtensionIds*>(this)->of(kind); }
  /// TwoByte as soon as one id does not fit the one-byte form (a=extmap-allow-mixed is then required).
  ExtensionForm form() const;
  friend bool operator==(const ExtensionIds&, const ExtensionIds&) = default;
};

/// RFC 6464: level in -dBov, 0 loudest, 127 silence.
struct AudioLevel {
  bool voice = false;
  uint8_t level = 127;
  friend bool operator==(const AudioLevel&, const AudioLevel&) = default;
};

/// Wanted bounds of the receiver's playout delay, in steps of 10 ms up to 40.95 s.
struct PlayoutDelay {
  core::Duration min;
  core::Duration max;
  friend bool operator==(const PlayoutDelay&, const PlayoutDelay&) = default;
};

/// The value lies in the packet's memory. At most 16 bytes of [A-Za-z0-9-_] for rid; a mid is any SDP token.
std::optional<std::string_view> read_mid(const PacketView& packet, const ExtensionIds& ids);
std::optional<std::string_view> read_rid(const PacketView& packet, const ExtensionIds& ids);
std::optional<std::string_view> read_repaired_rid(const PacketView& packet, const ExtensionIds& ids);
std::optional<AudioLevel> read_audio_level(const PacketView& packet, const ExtensionIds& ids);
std::optional<uint16_t> read_transport_cc(const PacketView& packet, const ExtensionIds& ids);
/// 24 bits of seconds in 6.18 fixed point, wrapping each 64 s.
std::optional<uint32_t> read_abs_send_time(const PacketView& packet, const ExtensionIds& ids);
std::optional<PlayoutDelay> read_playout_delay(const PacketView& packet, const ExtensionIds& ids);

void write_mid(HeaderWriter& w, const ExtensionIds& ids, std::string_view mid);
void write_rid(HeaderWriter& w, const ExtensionIds& ids, std::string_view rid);
void write_repaired_rid(HeaderWriter& w, const ExtensionIds& ids, std::string_view rid);
void write_audio_level(HeaderWriter& w, const ExtensionIds& ids, AudioLevel level);
void write_transport_cc(HeaderWriter& w, const ExtensionIds& ids, uint16_t number);
void write_abs_send_time(HeaderWriter& w, const ExtensionIds& ids, uint32_t value);
void write_playout_delay(HeaderWriter& w, const ExtensionIds& ids, PlayoutDelay delay);

/// The abs-send-time of an instant (only differences mean anything to the receiver).
constexpr uint32_t to_abs_send_time(core::Instant at) {
  const uint64_t us = static_cast<uint64_t>(at.to_nanos()) / 1000;
  return static_cast<uint32_t>(((us << 18) + 500'000) / 1'000'000) & 0xffffff;
}

}  // namespace huitang::rtp
