// The values a conference consists of (CONFERENCE-CONTROL.md section 1). Plain structs that compare by value,
// so that a snapshot is a copy and a replayed journal can be checked against the live state with `==`.
//
// `conference` decides and does nothing else: no sockets, clocks, threads, SSRCs, SDP, or protobuf messages;
// from the schema it uses the generated enums only. The edges (api, store) translate these structs.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "huitang/v1/enums.pb.h"

namespace huitang::conference {

/// Counted within one conference from 1, never used twice there; 0 is nobody.
using ParticipantId = core::Id<struct ParticipantTag, uint32_t>;
/// Stands as CSRC in every packet of the source; unique on a media node, never 0.
using SourceNumber = core::Id<struct SourceTag, uint32_t>;
/// Counted within one conference from 1.
using ChatId = core::Id<struct ChatTag, uint64_t>;

/// "p17", the form used on every wire.
std::string to_text(ParticipantId id);
/// ParticipantId{} for anything else; commands aimed at it are refused with TARGET_ABSENT like any stranger.
ParticipantId parse_participant_id(std::string_view text);

/// Names the session a participant came through, opaque here. A removed participant's key is barred; a second
/// Join with a key that is in already finds the same participant. Never shown to anyone.
struct SessionKey {
  std::string value;
  friend auto operator<=>(const SessionKey&, const SessionKey&) = default;
};

/// What a participant may send, in the order of v1::SourceKind (1..4).
inline constexpr std::array kSourceKinds = {v1::SOURCE_KIND_MICROPHONE, v1::SOURCE_KIND_CAMERA,
                                            v1::SOURCE_KIND_SCREEN, v1::SOURCE_KIND_SCREEN_AUDIO};
/// The caller gives every joiner a block of this many consecutive source numbers that nobody else on the node
/// uses. The numbers stay the participant's own until he is gone, so a mute, a share or a new peer never
/// renames a picture.
inline constexpr uint32_t kSourcesPerParticipant = 4;

struct Limits {
  uint32_t participants = 500;
  uint32_t name_chars = 64;  ///< Unicode code points, here and below
  uint32_t title_chars = 120;
  uint32_t chat_chars = 4000;
  uint32_t chat_kept = 200;     ///< newest messages, private ones included
  uint32_t barred_kept = 1000;  ///< removed session keys, newest
  uint32_t commands_kept = 64;  ///< ids of newest commands remembered for each actor
  friend bool operator==(const Limits&, const Limits&) = default;
};

/// Chosen when the conference is made.
struct Settings {
  bool may_unmute_self = true;  ///< whether one muted by the chair may open his own microphone again
  Limits limits;
  friend bool operator==(const Settings&, const Settings&) = default;
};

/// What concerns the conference as a whole. Later: view mode, voice switching, waiting room, banners …
struct Info {
  std::string number;  ///< nine digits
  std::string title;
  Settings settings;
  bool locked = false;
  bool ended = false;
  core::WallTime started;
  /// Since when nobody is listed; the caller runs the timer of Operation EmptyTooLong from it.
  std::optional<core::WallTime> empty_since;
  friend bool operator==(const Info&, const Info&) = default;
};

enum class Share : uint8_t { None, Picture, PictureAndSound };

/// Someone listed: `connection` is IN or RECONNECTING, never LEFT (who leaves is in Change::gone).
struct Participant {
  ParticipantId id;
  std::string name;
  v1::Role role = v1::ROLE_PARTICIPANT;
  v1::ConnectionState connection = v1::CONNECTION_STATE_IN;
  bool muted_by_self = true;
  bool muted_by_chair = false;
  bool camera_on = false;
  Share share = Share::None;
  std::optional<core::WallTime> hand_since;  ///< absent: hand down
  core::WallTime joined;
  std::optional<core::WallTime> away_since;  ///< present exactly while RECONNECTING
  bool peer_connected = false;
  // Not shown to others:
  SourceNumber first_source;
  SessionKey session;
  bool has_chair_token = false;  ///< may hold the chair: is chair, or co-chair while another is

  SourceNumber source(v1::SourceKind kind) const {
    return SourceNumber(first_source.value() + static_cast<uint32_t>(kind) - 1);
  }
  bool is_sharing() const { return share != Share::None; }
  bool has_chair_rights() const { return role == v1::ROLE_CHAIR || role == v1::ROLE_CO_CHAIR; }
  friend bool operator==(const Participant&, const Participant&) = default;
};

/// self ∨ chair (∨ what the mode demands, later). The only place where the three meet.
bool is_muted(const Info&, const Participant&);
/// Whether the node may let this source out: what mute, camera and share allow, whether or not a peer is
/// there.
bool is_forwarded(const Info&, const Participant&, v1::SourceKind);
/// What others are told (signaling `Source.active`): forwarded, and the participant's peer is connected.
bool is_active(const Info&, const Participant&, v1::SourceKind);

struct ChatMessage {
  ChatId id;
  ParticipantId from;
  std::string from_name;            ///< kept: the sender may be gone
  std::optional<ParticipantId> to;  ///< absent: to all
  std::string text;
  core::WallTime at;
  bool is_visible_to(ParticipantId viewer) const { return !to || *to == viewer || from == viewer; }
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// Everything that survives a restart: the snapshot of the journal.
struct State {
  Info info;
  uint64_t last_change = 0;
  std::map<ParticipantId, Participant> participants;  ///< in order of joining
  std::deque<ChatMessage> chat;                       ///< oldest first
  ParticipantId next_participant{1};
  ChatId next_chat{1};
  std::deque<SessionKey> barred;  ///< oldest first
  /// Ids of commands that made a change, newest last; actor 0 is the API.
  std::map<ParticipantId, std::deque<std::string>> done_commands;
  friend bool operator==(const State&, const State&) = default;
};

}  // namespace huitang::conference
