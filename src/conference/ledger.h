// Keeps "what is acknowledged is on disk" for one conference, without I/O.
//
// Commands are decided at once against the state *ahead*; their outcomes (answers, changes for participants,
// media intents) are held back until the store has written the changes they depend on. When a write fails,
// the state ahead falls back to the written one and everything held back is refused with STORE_UNAVAILABLE:
// it was not made.
//
//   handle_command ──▶ poll_write ──▶ (store appends, in order) ──▶ handle_written ──────▶ poll_outcome
//                                                              └──▶ handle_write_failed ─▶ poll_outcome
//
// An outcome that made no change (a refusal, "was so already") waits for the changes before it: it was
// decided upon them. Inputs of the system that come back refused with STORE_UNAVAILABLE must be handed in
// again by the caller, for they are facts. The same refusal comes at once while kMaxPending outcomes wait.
#pragma once

#include <deque>
#include <optional>

#include "conference/conference.h"

namespace huitang::conference {

class Ledger {
 public:
  static constexpr size_t kMaxPending = 1024;
  /// What the caller knows the command by; given back with its outcome.
  using Token = uint64_t;
  struct Outcome {
    Token token = 0;
    core::Result<Effects, Refusal> result;
  };

  struct Write {
    uint64_t attempt = 0;  ///< counts the failures before it
    Change change;
  };

  /// `written` is in the store already, as snapshot or as snapshot and changes.
  explicit Ledger(Conference written)
      : written_(written), ahead_(std::move(written)), durable_(written_.snapshot().last_change) {}

  void handle_command(core::WallTime now, Token, const Command&, const Actor&);
  /// That write, and every one polled before it, is durable.
  void handle_written(const Write&);
  /// That write was not made, and neither will be any polled after it: the store refuses what has a gap
  /// before it. Writes of an earlier attempt, decided upon a state that has been given up since, are ignored
  /// here.
  void handle_write_failed(const Write&);

  /// Next change to append to the journal, in order.
  std::optional<Write> poll_write();
  /// Next outcome, in the order of the commands.
  std::optional<Outcome> poll_outcome();

  /// What is on disk: the state to show to clients and to take snapshots from.
  const Conference& written() const { return written_; }
  /// What the next command is decided upon: with what is on its way to the disk.
  const Conference& ahead() const { return ahead_; }
  size_t pending() const { return waiting_.size(); }
  bool is_consistent() const;

 private:
  struct Waiting {
    Outcome outcome;
    uint64_t needs = 0;  ///< change that must be durable first
    std::string command_id;
    Actor actor;
  };
  void release();

  Conference written_;
  Conference ahead_;
  uint64_t durable_;  ///< number of the last change that is written
  uint64_t attempt_ = 0;
  std::deque<Change> to_write_;  ///< not yet polled
  std::deque<Waiting> waiting_;
  std::deque<Outcome> ready_;
};

}  // namespace huitang::conference
