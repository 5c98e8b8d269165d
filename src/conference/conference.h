// The rules of one conference as a pure state machine (DESIGN.md section 7; behaviour: CONFERENCE-CONTROL.md;
// the rows: docs/conference/transitions.md).
//
// `apply` decides a command against the state, makes the change and returns what follows. It depends on its
// arguments only. Spans of time are not measured here: when a session has been away too long, or a conference
// empty too long, the caller says so by an operation, from `away_since` and `empty_since`, which survive a
// restart.
//
// Durability: the change must be written before anybody hears of it. `Ledger` (ledger.h) keeps that order;
// whoever uses Conference directly has to do so himself.
//
// Left out here: accounts and tokens (the caller checks them), timers, peers and nodes, delivery, view modes.
#pragma once

#include <span>
#include <vector>

#include "conference/command.h"
#include "conference/effects.h"
#include "conference/types.h"
#include "core/error.h"
#include "core/random.h"
#include "core/result.h"

namespace huitang::conference {

struct Create {
  std::string number;  ///< nine digits, unique by the store
  std::string title;   ///< empty is allowed; pages show a default
  Settings settings;
};

/// Nine digits, the first not 0; whether it is free only the store can tell.
std::string draw_number(core::Random&);

class Conference {
 public:
  /// A new, empty conference. Its snapshot is the first record of its journal.
  static core::Result<Conference, Refusal> create(core::WallTime now, const Create&);
  /// From a snapshot that may come from a damaged disk: checked, Malformed when it cannot be.
  static core::Result<Conference, core::ParseError> from_snapshot(State);

  core::Result<Effects, Refusal> apply(core::WallTime now, const Command&, const Actor&);

  /// Makes journaled changes again. Malformed, and nothing changed, unless they are the next ones and fit the
  /// state.
  core::Result<void, core::ParseError> replay(std::span<const Change>);

  const State& snapshot() const { return state_; }
  const Info& info() const { return state_.info; }
  const Participant* find(ParticipantId id) const;
  /// Who came through this session, while listed.
  const Participant* find(const SessionKey&) const;
  bool is_barred(const SessionKey&) const;
  /// Chat a participant may read, oldest first.
  std::vector<ChatMessage> chat_of(ParticipantId viewer) const;

  /// What the media node should know of one participant, or of all, from nothing: for a new peer or a new
  /// node. Listen and ForwardSource only.
  std::vector<MediaIntent> media_of(ParticipantId) const;
  std::vector<MediaIntent> media() const;

  bool is_consistent() const;

 private:
  friend class Ledger;  // repeats on the written state what was decided on the state ahead
  struct Settled {
    std::string command_id;
    std::optional<Refusal> refusal;  ///< absent: accepted without a change
  };

  explicit Conference(State state) : state_(std::move(state)) {}
  void commit(const Change&);
  std::optional<core::Result<Effects, Refusal>> repeated(const Command&, const Actor&) const;
  void remember(const std::string& command_id, const Actor&, std::optional<Refusal>);

  State state_;
  /// Results that changed nothing. Not journaled: they matter for late duplicates on a living connection
  /// only, and a restart ends every connection.
  std::map<ParticipantId, std::deque<Settled>> settled_;
};

}  // namespace huitang::conference
