// A full, controlling ICE agent (RFC 8445) towards a lite one: for bots and for links between nodes.
//
// One local socket of each family at most (the system picks the source address), the remote candidates come
// from the node's SDP. Sends checks with the timers of RFC 8445 section 14 and RFC 8489 section 6.2.1,
// nominates one pair (regular nomination), keeps consent (RFC 7675) and restarts on request: the pair in use
// stays in use until a new one is nominated. Left out: gathering, being controlled, answering checks, TCP.
// docs/deviations/ice.md.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "core/address.h"
#include "core/bytes.h"
#include "core/random.h"
#include "core/time.h"
#include "core/transmit.h"
#include "ice/credentials.h"
#include "stun/message.h"

namespace huitang::ice {

struct FullConfig {
  core::Duration pace = core::Duration::millis(50);          ///< Ta, RFC 8445 section 14.2
  core::Duration initial_rto = core::Duration::millis(500);  ///< RFC 8445 section 14.3
  uint32_t max_sends = 7;                                    ///< Rc, RFC 8489 section 6.2.1
  uint32_t last_wait = 16;                                   ///< Rm, times initial_rto after the last send
  /// How long a pair that works waits for a better one that is still being tried.
  core::Duration nomination_delay = core::Duration::millis(200);
  core::Duration consent_interval = core::Duration::seconds(5);  ///< times 0.8 to 1.2, RFC 7675 section 5.1
  core::Duration consent_retry = core::Duration::seconds(1);     ///< the same, while a check is unanswered
  core::Duration consent_timeout = core::Duration::seconds(30);
};

struct RemoteCandidate {
  core::SocketAddress address;
  uint32_t priority = 0;
};

struct Remote {
  Credentials credentials;
  std::vector<RemoteCandidate> candidates;
};

/// New ──start──▶ Checking ──a nominated pair answers──▶ Connected ──consent lost──▶ Disconnected
///                    └──every pair failed──▶ Failed          ▲ └──restart, start: stays, checks beside it
///                              └────────restart, start──▶ Checking ◀──────┘ (from Failed, Disconnected)
enum class FullState : uint8_t {
  New,           ///< no remote side yet
  Checking,      ///< no pair in use, some being tried
  Connected,     ///< destination() consents
  Disconnected,  ///< consent of the pair in use was lost; nothing is sent until a restart
  Failed,        ///< no pair answered
};

class FullAgent {
 public:
  static constexpr size_t kMaxPairs = 16;
  static constexpr size_t kMaxTransmits = 32;
  static constexpr size_t kMaxEvents = 16;
  static constexpr size_t kConsentMemory = 8;  ///< consent checks whose late answers still count

  struct StateChanged {
    FullState state;
  };
  struct DestinationChanged {
    core::SocketAddress address;
  };
  using Event = std::variant<StateChanged, DestinationChanged>;

  struct Counters {
    uint64_t checks_sent = 0;  ///< with retransmissions
    uint64_t retransmissions = 0;
    uint64_t answers = 0;          ///< valid ones
    uint64_t errors_received = 0;  ///< authentic error answers
    uint64_t dropped_in = 0;       ///< requests, strangers, wrong integrity, unknown transactions
    uint64_t dropped_transmits = 0;
  };
  struct Snapshot {
    FullState state = FullState::New;
    std::optional<core::SocketAddress> destination;
    std::optional<core::SocketAddress> mapped_address;  ///< how the other side sees us
    size_t pairs = 0;
    size_t pairs_failed = 0;
    std::optional<core::Duration> round_trip;  ///< of the last answered check that was sent once
    Counters counters;
  };

  /// `random` outlives the agent.
  FullAgent(core::Instant now, core::Random& random, const FullConfig& config = {});

  const Credentials& local() const { return local_; }
  /// The remote side is known: checks begin. More than kMaxPairs candidates are cut to the best.
  void start(core::Instant now, Remote remote);
  /// New local credentials for the next offer; its answer is given to start(). Until then nothing else
  /// changes.
  const Credentials& restart(core::Instant now);

  void handle_datagram(core::Instant now, const core::SocketAddress& from, core::Bytes datagram);
  void handle_deadline(core::Instant now);
  std::optional<core::Transmit> poll_transmit();
  std::optional<Event> poll_event();
  std::optional<core::Instant> deadline() const;

  FullState state() const { return state_; }
  /// Where media goes: the nominated pair; set while Connected.
  const std::optional<core::SocketAddress>& destination() const { return destination_; }
  /// Has answered a check of ours, under the present credentials or the ones still in use.
  bool is_validated(const core::SocketAddress& address) const;
  Snapshot snapshot() const;
  bool is_consistent() const;

 private:
  enum class PairState : uint8_t { Waiting, InProgress, Succeeded, Failed };
  struct Pair {
    core::SocketAddress remote;
    uint32_t priority = 0;
    PairState state = PairState::Waiting;
    bool is_nominating = false;
    stun::TransactionId transaction{};
    uint32_t sends = 0;
    core::Duration rto;
    core::Instant first_sent;
    core::Instant next_send;
  };
  struct Session {
    Credentials local;
    Credentials remote;
  };
  struct ConsentCheck {
    stun::TransactionId transaction{};
    core::Instant sent;
    bool is_open = false;
  };

  void begin_transaction(core::Instant now, Pair& pair);
  void send_pair(core::Instant now, Pair& pair);
  void send_check(const core::SocketAddress& to, const Session& session,
                  const stun::TransactionId& transaction, bool use_candidate);
  void start_waiting_pair(core::Instant now);
  void retransmit_pairs(core::Instant now);
  void nominate_if_due(core::Instant now);
  bool is_nomination_due(core::Instant now, const Pair& best) const;
  Pair* best_succeeded();
  void handle_pair_answer(core::Instant now, Pair& pair, const stun::MessageView& answer);
  bool handle_consent_answer(core::Instant now, const core::SocketAddress& from,
                             const stun::MessageView& answer);
  void handle_nominated(core::Instant now, const Pair& pair);
  void send_consent(core::Instant now);
  void fail_if_exhausted();
  core::Duration randomised(core::Duration interval);
  stun::TransactionId make_transaction();
  void enter(FullState state);
  void push(Event event);

  core::Random& random_;
  FullConfig config_;
  FullState state_ = FullState::New;
  uint64_t tie_breaker_;
  Credentials local_;  ///< what the next start() uses
  Session checking_;   ///< of pairs_
  std::vector<Pair> pairs_;
  core::Instant next_start_;
  std::optional<core::Instant> nominate_at_;
  bool is_nominated_ = false;  ///< pairs_ has done its work

  Session in_use_;  ///< of destination_
  std::optional<core::SocketAddress> destination_;
  core::Instant next_consent_;
  core::Instant consent_ends_;
  std::array<ConsentCheck, kConsentMemory> consent_checks_{};
  size_t next_consent_slot_ = 0;

  std::optional<core::SocketAddress> mapped_address_;
  std::optional<core::Duration> round_trip_;
  std::deque<core::Transmit> transmits_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace huitang::ice
