// The table of operations: one row each, with who may ask and the function that decides it. The functions
// stand in one file per family; the dispatcher (Conference::apply) holds no behaviour of its own.
#pragma once

#include <string_view>
#include <tuple>

#include "conference/turn.h"

namespace huitang::conference {

enum class Who : uint8_t {
  Participant,  ///< somebody who is in, about himself
  OwnOrChair,   ///< somebody who is in, about himself; with chair rights about others
  Chair,        ///< chair, co-chair, API
  Newcomer,     ///< nobody yet
  System,       ///< ENTRANCE_AUTOMATIC
};

/// Whether the actor of this turn is one of `who`: BAD_REQUEST, NOT_IN or NOT_CHAIR otherwise.
Verdict admit(const Turn&, Who who);
/// TARGET_ABSENT unless listed.
Verdict require_listed(const Turn&, ParticipantId target);

// membership.cpp
Verdict decide_join(Turn&, const Join&);
Verdict decide_leave(Turn&, const Leave&);
Verdict decide_rename(Turn&, const Rename&);
Verdict decide_session_lost(Turn&, const SessionLost&);
Verdict decide_session_back(Turn&, const SessionBack&);
Verdict decide_lost_too_long(Turn&, const LostTooLong&);
Verdict decide_all_sessions_lost(Turn&, const AllSessionsLost&);
Verdict decide_empty_too_long(Turn&, const EmptyTooLong&);
// device.cpp
Verdict decide_set_microphone(Turn&, const SetMicrophone&);
Verdict decide_set_camera(Turn&, const SetCamera&);
Verdict decide_peer_connected(Turn&, const PeerConnected&);
Verdict decide_peer_gone(Turn&, const PeerGone&);
// share.cpp
Verdict decide_start_share(Turn&, const StartShare&);
Verdict decide_stop_share(Turn&, const StopShare&);
// chat.cpp
Verdict decide_send_chat(Turn&, const SendChat&);
// floor.cpp
Verdict decide_set_hand(Turn&, const SetHand&);
// chair.cpp
Verdict decide_mute_other(Turn&, const MuteOther&);
Verdict decide_ask_unmute(Turn&, const AskUnmute&);
Verdict decide_remove(Turn&, const RemoveParticipant&);
Verdict decide_set_lock(Turn&, const SetLock&);
Verdict decide_end(Turn&, const EndConference&);
Verdict decide_chair_away_too_long(Turn&, const ChairAwayTooLong&);
/// When nobody is chair, the first co-chair who is in becomes it. Called wherever a chair goes or a co-chair
/// comes.
void seat_chair(Turn&);
/// Everyone leaves, nothing is accepted any more.
void end_for_all(Turn&);

template <class Op>
struct Row {
  std::string_view name;
  Who who;
  Verdict (*decide)(Turn&, const Op&);
};

inline constexpr auto kRows = std::tuple{
    Row<SetMicrophone>{"set_microphone", Who::Participant, decide_set_microphone},
    Row<SetCamera>{"set_camera", Who::Participant, decide_set_camera},
    Row<StartShare>{"start_share", Who::Participant, decide_start_share},
    Row<StopShare>{"stop_share", Who::OwnOrChair, decide_stop_share},
    Row<SetHand>{"set_hand", Who::OwnOrChair, decide_set_hand},
    Row<SendChat>{"send_chat", Who::Participant, decide_send_chat},
    Row<MuteOther>{"mute_other", Who::Chair, decide_mute_other},
    Row<AskUnmute>{"ask_unmute", Who::Chair, decide_ask_unmute},
    Row<RemoveParticipant>{"remove", Who::Chair, decide_remove},
    Row<SetLock>{"set_lock", Who::Chair, decide_set_lock},
    Row<EndConference>{"end", Who::Chair, decide_end},
    Row<Leave>{"leave", Who::Participant, decide_leave},
    Row<Rename>{"rename", Who::Participant, decide_rename},
    Row<Join>{"join", Who::Newcomer, decide_join},
    Row<SessionLost>{"session_lost", Who::System, decide_session_lost},
    Row<SessionBack>{"session_back", Who::System, decide_session_back},
    Row<LostTooLong>{"lost_too_long", Who::System, decide_lost_too_long},
    Row<AllSessionsLost>{"all_sessions_lost", Who::System, decide_all_sessions_lost},
    Row<PeerConnected>{"peer_connected", Who::System, decide_peer_connected},
    Row<PeerGone>{"peer_gone", Who::System, decide_peer_gone},
    Row<ChairAwayTooLong>{"chair_away_too_long", Who::System, decide_chair_away_too_long},
    Row<EmptyTooLong>{"empty_too_long", Who::System, decide_empty_too_long},
};
static_assert(std::tuple_size_v<decltype(kRows)> == std::variant_size_v<Operation>);

}  // namespace huitang::conference
