// What the conference host keeps for each socket, each live conference and each command under way.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/client_sockets.h"
#include "api/media_plan.h"
#include "api/session.h"
#include "api/token_bucket.h"
#include "conference/ledger.h"

namespace huitang::api {

inline constexpr Rate kSocketRate{20, 100};  ///< messages of one socket
inline constexpr Rate kJoinRate{20, 600};    ///< joins from one address: a whole office comes at nine o'clock
inline constexpr Rate kFailedJoinRate{0.5, 60};  ///< wrong numbers from one address: guessing takes lifetimes
inline constexpr Rate kHelloRate{20, 600};       ///< new sessions from one address
inline constexpr uint64_t kRefusedJoinsAMinute = 100;  ///< on the whole box; more raise the alarm
/// When a full box may have room again: it holds a load level for five seconds at least.
inline constexpr uint32_t kFullRetrySeconds = 10;
inline constexpr int kMaxStrikes = 40;  ///< broken or limited messages before a socket is closed

struct Socket {
  SocketId id;
  core::IpAddress from;
  core::Instant opened;
  SessionId session;  ///< empty before Hello
  TokenBucket permits{kSocketRate};
  int strikes = 0;
};

/// A command between its arrival and its outcome.
struct Pending {
  enum class Kind : uint8_t { Fact, Join, Command };
  Kind kind = Kind::Fact;
  SessionId session;
  SocketId socket;
  uint32_t reply_to = 0;
  std::string command_id;
  std::optional<conference::Operation> fact;  ///< to be handed in again when it could not be written
  bool may_know = false;                      ///< Join: has proven a right to know of the conference
  core::Instant answered_at;                  ///< Join: when a refusal leaves that may not tell why
};

/// A refused join that learns nothing: one answer for "no such conference", locked, full, removed and ended,
/// and it leaves a fixed time after the join came, whatever had to be looked up or waited for.
struct VeiledRefusal {
  core::Instant due;
  SessionId session;
  SocketId socket;
  uint32_t reply_to = 0;
};

struct LiveConference {
  explicit LiveConference(conference::Conference written) : ledger(std::move(written)) {}
  const conference::State& state() const { return ledger.written().snapshot(); }
  const std::string& number() const { return state().info.number; }

  conference::Ledger ledger;
  GroupId group;
  size_t writing = 0;  ///< appends with the journal
  std::map<conference::ParticipantId, SessionId> members;
  MediaPlan held;  ///< what the node was told

  // Spans are measured here, on the monotonic clock, from when they were first noticed.
  std::map<conference::ParticipantId, core::Instant> away;
  std::optional<core::Instant> empty;
  std::deque<conference::Operation> retry;  ///< facts that could not be written

  std::vector<uint32_t> speakers;
  uint32_t active_speaker = 0;
  bool speakers_due = false;
  core::Instant speakers_sent;
};

}  // namespace huitang::api
