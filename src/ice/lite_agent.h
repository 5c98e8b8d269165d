// The node's side of ICE (RFC 8445 as lite agent, RFC 7675 for consent): answers checks, never sends its own.
//
// Fed by a peer with the STUN datagrams of its client. Says which addresses proved that they hold the
// credentials, and to which of them media goes. Nothing without right credentials gets an answer. A restart
// (RFC 8445 section 9) overlaps: the old credentials answer until the new ones are used, and addresses proven
// under either stay proven. Left out: candidates (SDP of the peer), TCP, sending. docs/deviations/ice.md.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/address.h"
#include "core/bytes.h"
#include "core/time.h"
#include "core/transmit.h"
#include "ice/credentials.h"
#include "stun/message.h"

namespace huitang::ice {

struct LiteConfig {
  /// RFC 7675 section 5.1: consent ends 30 s after the last valid check of an address.
  core::Duration consent_timeout = core::Duration::seconds(30);
  /// A destination that is silent for so long is left for another one that checks, nominated or not. Browsers
  /// check every 2.5 s (Chromium) or 5 s +- 20 % (RFC 7675), so two checks in a row must be missing.
  core::Duration silence_before_switch = core::Duration::seconds(9);
};

/// New ──a valid check──▶ Connected ──no valid check from any address for consent_timeout──▶ Disconnected
///                            ▲───────────────────────a valid check────────────────────────────┘
enum class LiteState : uint8_t {
  New,           ///< no address validated yet
  Connected,     ///< one address or more is validated, destination() is one of them
  Disconnected,  ///< none is any more
};

/// One generation of credentials: ours, and the fragment that the client's offer named. A client that has lost its way
/// and signaling with it begins anew by itself: same credentials of ours, another fragment of its own. So the client's
/// is told in snapshots and handed over, and compared with nothing.
struct LiteGeneration {
  Credentials local;
  std::string remote_ufrag;
};
/// An address that a valid check came from.
struct LiteAddress {
  core::SocketAddress address;
  core::Instant last_check;
  bool is_nominated = false;
};
struct LiteCounters {
  uint64_t checks = 0;        ///< valid ones
  uint64_t malformed = 0;     ///< not understood as STUN
  uint64_t ignored = 0;       ///< no Binding request
  uint64_t unknown_user = 0;  ///< USERNAME names no fragment of ours
  uint64_t wrong_integrity = 0;
  uint64_t repeated = 0;           ///< somebody's check, sent again from another address
  uint64_t errors_sent = 0;        ///< 400, 420, 487
  uint64_t dropped_transmits = 0;  ///< queue at its cap
  uint64_t dropped_events = 0;
};
/// For hand-over to another process of this machine, whose clock is the same.
struct LiteAgentState {
  LiteState state = LiteState::New;
  std::vector<LiteGeneration> generations;  ///< the newest last
  std::vector<LiteAddress> addresses;
  std::optional<core::SocketAddress> destination;
  LiteCounters counters;
};

class LiteAgent {
 public:
  static constexpr size_t kMaxAddresses = 4;   ///< of one client at a time: two networks in two families
  static constexpr size_t kMaxTransmits = 16;  ///< answers not yet polled
  static constexpr size_t kMaxEvents = 32;
  /// Checks whose transaction ids are remembered: about ten minutes of a connected browser's.
  static constexpr size_t kMaxRemembered = 256;

  struct StateChanged {
    LiteState state;
  };
  /// destination() is another one now.
  struct DestinationChanged {
    core::SocketAddress address;
  };
  struct AddressValidated {
    core::SocketAddress address;
  };
  /// Consent ended, or a fifth address took the place of the one checked longest ago.
  struct AddressForgotten {
    core::SocketAddress address;
  };
  /// Answers nobody any more.
  struct CredentialsRetired {
    std::string ufrag;
  };
  using Event =
      std::variant<StateChanged, DestinationChanged, AddressValidated, AddressForgotten, CredentialsRetired>;

  using Counters = LiteCounters;
  struct Snapshot {
    using Address = LiteAddress;
    LiteState state = LiteState::New;
    std::vector<Address> addresses;
    std::optional<core::SocketAddress> destination;
    std::string ufrag;
    bool is_restarting = false;  ///< two generations answer
    Counters counters;
  };

  explicit LiteAgent(core::Instant now, const LiteConfig& config = {});

  using Generation = LiteGeneration;
  /// The first call makes the agent answer; each later one begins a restart. When a restart comes before the
  /// last one was used, the oldest generation is retired.
  void add_generation(core::Instant now, Generation generation);
  const Credentials& local() const { return generations_.back().local; }
  bool has_generation() const { return !generations_.empty(); }

  void handle_datagram(core::Instant now, const core::SocketAddress& from, core::Bytes datagram);
  void handle_deadline(core::Instant now);
  std::optional<core::Transmit> poll_transmit();
  std::optional<Event> poll_event();
  std::optional<core::Instant> deadline() const;

  LiteState state() const { return state_; }
  /// Cheap enough for each packet.
  bool is_validated(const core::SocketAddress& address) const;
  /// Where everything for the client goes: the address nominated last; before any is, the first one.
  const std::optional<core::SocketAddress>& destination() const { return destination_; }
  Snapshot snapshot() const;
  /// Answers and events not yet polled are left out: drain first.
  LiteAgentState export_state() const;
  /// Once, before anything else: continues what another process began. No events follow for what is taken
  /// over. False when the state contradicts itself; the agent is then of no use.
  bool restore(LiteAgentState state);
  bool is_consistent() const;

 private:
  using Address = LiteAddress;
  const Generation* find_generation(std::string_view username) const;
  void answer(const core::SocketAddress& to, const stun::MessageView& request, const Generation& generation);
  void answer_error(const core::SocketAddress& to, const stun::MessageView& request,
                    const Generation& generation, const stun::ErrorCode& error);
  void transmit(const core::SocketAddress& to, core::Bytes bytes);
  bool is_repeated(const core::SocketAddress& from, const stun::TransactionId& transaction);
  void retire_before(const Generation& generation);
  Address& remember(core::Instant now, const core::SocketAddress& address);
  void choose_destination(core::Instant now, const Address& checked, bool nominates);
  void set_destination(const core::SocketAddress& address);
  void forget(size_t index);
  void enter(LiteState state);
  void push(Event event);

  LiteConfig config_;
  LiteState state_ = LiteState::New;
  std::deque<Generation> generations_;  ///< at most two, the newest last
  std::array<Address, kMaxAddresses> addresses_{};
  size_t address_count_ = 0;
  std::optional<core::SocketAddress> destination_;
  struct Remembered {
    uint64_t transaction = 0;  ///< its first eight bytes, which a client draws at random
    uint64_t from = 0;         ///< hash of the address
  };
  std::vector<Remembered> remembered_;  ///< a ring, kMaxRemembered at most
  size_t next_remembered_ = 0;
  std::deque<core::Transmit> transmits_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace huitang::ice
