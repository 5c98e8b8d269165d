// Everything that can be asked of a conference or happen to it. One struct per row of
// docs/conference/transitions.md, which says who may, in which state, with what result.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "conference/types.h"

namespace huitang::conference {

// --- Commands of people (signaling.proto `Command`) and of the API
// -------------------------------------------------

struct SetMicrophone {
  bool on = false;
};
struct SetCamera {
  bool on = false;
};
struct StartShare {
  bool with_audio = false;
};
/// Without a target: one's own. Another's needs chair rights.
struct StopShare {
  std::optional<ParticipantId> target;
};
/// Another's hand can only be lowered, by the chair.
struct SetHand {
  bool up = false;
  std::optional<ParticipantId> target;
};
struct SendChat {
  std::string text;
  std::optional<ParticipantId> to;
};
struct MuteOther {
  ParticipantId target;
};
/// Lifts the chair's block and asks; the microphone stays closed until its owner opens it.
struct AskUnmute {
  ParticipantId target;
};
struct RemoveParticipant {
  ParticipantId target;
};
struct SetLock {
  bool locked = false;
};
struct EndConference {};
struct Leave {};
struct Rename {
  std::string name;
};

// --- Inputs of the system (Entrance AUTOMATIC; Join: the page it came through)
// -------------------------------------

/// The actor of a Join has no participant id yet. `Effects::joined` names the new (or already present)
/// participant.
struct Join {
  SessionKey session;
  std::string name;
  bool microphone_on = false;
  bool camera_on = false;
  bool has_chair_token = false;  ///< checked by the caller
  bool peer_connected = false;   ///< of the peer that the join page has already
  SourceNumber first_source;     ///< first of kSourcesPerParticipant numbers reserved for this participant
};
/// The participant's socket is gone (his media may well go on) / is back within the resume time / stayed away
/// longer.
struct SessionLost {
  ParticipantId who;
};
struct SessionBack {
  ParticipantId who;
};
struct LostTooLong {
  ParticipantId who;
};
/// `serve` was started again: no session is connected, peers may be.
struct AllSessionsLost {};
struct PeerConnected {
  ParticipantId who;
};
struct PeerGone {
  ParticipantId who;
};
/// The chair has been away for the time a chair is kept (60 s): the first co-chair who is in takes over.
struct ChairAwayTooLong {};
/// Nobody has been in for the configured time: the conference ends by itself.
struct EmptyTooLong {};

using Operation =
    std::variant<SetMicrophone, SetCamera, StartShare, StopShare, SetHand, SendChat, MuteOther, AskUnmute,
                 RemoveParticipant, SetLock, EndConference, Leave, Rename, Join, SessionLost, SessionBack,
                 LostTooLong, AllSessionsLost, PeerConnected, PeerGone, ChairAwayTooLong, EmptyTooLong>;

/// Name of the operation as in the schema and in docs/conference/transitions.md ("mute_other").
std::string_view to_string(const Operation&);

struct Command {
  /// Makes a repeat by the same actor harmless: the first result is given again. Empty: not remembered. At
  /// most 64 bytes.
  std::string command_id;
  Operation operation;
};

/// Who asks. Without a participant: ENTRANCE_API has chair rights (the API has checked its caller's); the
/// operations of the system need ENTRANCE_AUTOMATIC, except Join, which comes with the entrance of whoever
/// joins.
struct Actor {
  std::optional<ParticipantId> participant;
  v1::Entrance entrance = v1::ENTRANCE_PAGE;
};

}  // namespace huitang::conference
