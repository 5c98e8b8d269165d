// What follows from a command: one numbered change for participants and journal, and intents for the media
// nodes.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "conference/types.h"

namespace huitang::conference {

struct Refusal {
  v1::RefusalCode code = v1::REFUSAL_CODE_UNSPECIFIED;
  std::string detail;  ///< English, for the log; never contains names or texts of people
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// In the order of signaling.proto `Happening`.
enum class Happened : uint8_t {
  Nothing,  ///< a change without a notice (camera, chat, connection)
  Joined,
  Left,
  Muted,
  AskedToUnmute,
  Removed,
  HandRaised,
  HandLowered,
  ShareStarted,
  ShareStopped,
  Locked,
  Unlocked,
  Ended,
  Renamed,
  RoleChanged,
};
struct Happening {
  Happened what = Happened::Nothing;
  ParticipantId who;  ///< 0 for what concerns the conference
  friend bool operator==(const Happening&, const Happening&) = default;
};

struct Gone {
  ParticipantId id;
  v1::LeaveReason reason = v1::LEAVE_REASON_UNSPECIFIED;
  friend bool operator==(const Gone&, const Gone&) = default;
};

/// One numbered change: whole entities that are different now. It is the event for participants (through
/// `seen_by`) and the journal's record at once: replaying the changes after a snapshot gives the state again.
struct Change {
  uint64_t number = 0;
  std::optional<ParticipantId> by;
  std::string by_name;  ///< as it was then
  v1::Entrance entrance = v1::ENTRANCE_UNSPECIFIED;
  core::WallTime at;
  std::string command_id;
  std::optional<Info> info;               ///< present when it changed
  std::vector<Participant> participants;  ///< new or changed
  std::vector<Gone> gone;                 ///< no longer listed
  std::vector<ChatMessage> chat;
  Happening happening;
  friend bool operator==(const Change&, const Change&) = default;
};

/// The change as one participant may see it: without private messages of others. Numbers have no gaps for
/// anyone, so a change that held nothing else arrives as its bare number (author removed too).
Change seen_by(const Change&, ParticipantId viewer);

// --- Media, in pure terms: the caller knows which peer and node a participant has
// ------------------------------------

/// The participant's source `number` of `kind` may (may not) leave the node. Repeating it is harmless.
struct ForwardSource {
  ParticipantId participant;
  v1::SourceKind kind = v1::SOURCE_KIND_UNSPECIFIED;
  SourceNumber number;
  bool forwarded = false;
  friend bool operator==(const ForwardSource&, const ForwardSource&) = default;
};
/// The participant's peer hears this conference's talkers.
struct Listen {
  ParticipantId participant;
  friend bool operator==(const Listen&, const Listen&) = default;
};
/// The participant is gone: his sources are unbound, he hears and sees nothing of this conference any more.
struct LetGo {
  ParticipantId participant;
  SourceNumber first_source;
  v1::LeaveReason reason = v1::LEAVE_REASON_UNSPECIFIED;
  friend bool operator==(const LetGo&, const LetGo&) = default;
};
/// The conference has ended; follows the LetGo of everyone.
struct CloseGroup {
  friend bool operator==(const CloseGroup&, const CloseGroup&) = default;
};
using MediaIntent = std::variant<ForwardSource, Listen, LetGo, CloseGroup>;

struct Effects {
  std::optional<Change> change;  ///< absent: everything was so already, or the command was a repeat
  std::vector<MediaIntent> media;
  std::optional<ParticipantId> joined;  ///< of a Join
  bool repeated = false;                ///< known command id: first result given again
};

}  // namespace huitang::conference
