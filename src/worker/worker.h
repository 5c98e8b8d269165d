// One worker of the media process: the meeting point of `peer` (transports) and `sfu` (forwarding).
//
// Fed by its thread with datagrams, commands of the control side and time; gives datagrams through a
// PacketOut and events. It owns all peers of the worker, the packet slab and the forwarder, and belongs to
// one thread. No sockets and no clock, so that the simulator drives the same object. Left out: placement of
// peers on workers (MediaNode), protobuf (ControlServer).
//
// One turn:  handle_datagrams(now, …) any number of times; handle_turn(now); take_events().
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/address.h"
#include "core/random.h"
#include "core/result.h"
#include "core/time.h"
#include "dtls/identity.h"
#include "peer/peer.h"
#include "rtp/ntp_time.h"
#include "sfu/forwarder.h"
#include "srtp/backend.h"
#include "worker/counters.h"
#include "worker/hand_over_state.h"
#include "worker/ingress_guard.h"
#include "worker/live_objects.h"
#include "worker/load_governor.h"
#include "worker/packet_out.h"
#include "worker/peer_entry.h"
#include "worker/peer_log.h"

namespace huitang::worker {

struct WorkerConfig {
  std::vector<core::SocketAddress> addresses;  ///< as clients reach this worker's socket, best first
  rtp::NtpClock clock;
  sfu::PacketSlab::Config slab;
  sfu::ForwarderConfig forwarder;
  size_t max_peers = 4000;
  LoadConfig load;
};

/// Whose peer asks to be opened. A stranger is turned away by a worker that takes no new peers.
enum class Admission : uint8_t { Stranger, Member };

/// One datagram as received; the bytes are opened in place.
struct Datagram {
  core::SocketAddress from;
  core::IpAddress to;  ///< local address; zeros when the socket has only one
  core::MutableBytes bytes;
};

enum class CommandErrorCode : uint8_t {
  BadOffer,  ///< see peer::PeerErrorCode
  NoSuchPeer,
  NoSuchLine,  ///< the peer has no such sending line
  Full,        ///< a cap of this worker was reached
};
struct CommandError {
  CommandErrorCode code;
  std::string detail;
};

struct PeerStateEvent {
  peer::PeerId peer;
  peer::PeerState state;
  peer::StateReason reason;
};
/// Told to serve with the next health, at once this way to the log.
struct LoadChanged {
  LoadLevel level;
  double share;  ///< of one core
};
using Event = std::variant<PeerStateEvent, sfu::GroupSpeakers, sfu::SourceFlow, sfu::SlotPaused,
                           sfu::LayerDemand, LoadChanged>;

/// What one peer is shown.
struct PeerSlots {
  peer::PeerId peer;
  std::vector<sfu::SlotSnapshot> slots;
};

/// What peers dropped, those that are gone included; see peer::Peer::Counters.
struct DroppedByPeers {
  uint64_t unvalidated = 0, unclassified = 0, early = 0, malformed = 0, not_authentic = 0;
  void add(const peer::Peer::Counters& c);
};

class Worker {
 public:
  static constexpr size_t kMaxEvents = 10'000;
  /// Copies waiting for the end of a turn: beyond, they are sealed and handed out at once (1 MB of them).
  static constexpr size_t kMaxCopies = 16'384;

  /// What is passed by reference outlives the worker.
  Worker(core::Instant now, WorkerConfig config, const dtls::Identity& identity, srtp::Backend& backend,
         core::Random& random, PacketOut& out);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Commands (proto/media.proto says what each means).
  core::Result<std::string, CommandError> open_peer(core::Instant now, peer::PeerId id,
                                                    std::string_view offer, std::span<const peer::Line> lines,
                                                    Admission admission = Admission::Stranger);
  void close_peer(core::Instant now, peer::PeerId id);
  core::Result<void, CommandError> bind_source(core::Instant now, peer::PeerId id, peer::LineUse use,
                                               sfu::SourceNumber number, sfu::GroupId group, bool forwarded);
  void unbind_source(core::Instant now, sfu::SourceNumber number);
  void set_group(core::Instant now, const sfu::GroupConfig& group);
  void close_group(core::Instant now, sfu::GroupId group);
  core::Result<void, CommandError> set_view(core::Instant now, peer::PeerId id,
                                            std::span<const sfu::SlotView> view);

  /// Checks first, then everything else in order of arrival.
  void handle_datagrams(core::Instant now, std::span<const Datagram> datagrams,
                        Ingress ingress = Ingress::Full);
  /// At `load_deadline()`: what this worker's thread has used and lost so far. The level that follows takes
  /// effect at once.
  void handle_load(core::Instant now, const LoadTotals& totals);
  core::Instant load_deadline() const { return governor_.deadline(); }
  /// Seals and hands out what is due, runs timers. Returns when it wants to be called again at the latest.
  std::optional<core::Instant> handle_turn(core::Instant now);

  std::optional<Event> poll_event();

  const WorkerCounters& counters() const { return counters_; }
  const sfu::Forwarder& forwarder() const { return forwarder_; }
  size_t peer_count() const { return peers_.size(); }
  DroppedByPeers dropped_by_peers() const;
  LiveObjects live() const;
  LoadGovernor::Snapshot load() const { return governor_.snapshot(); }
  /// One peer's, or for peer 0 all of them and the worker's own (under peer 0).
  std::vector<PeerLogCopy> copy_logs(peer::PeerId id) const;
  std::vector<peer::Peer::Snapshot> snapshot_peers() const;
  std::vector<PeerSlots> snapshot_slots() const;

  /// Some client may still need an answer to its DTLS handshake, which only this process can give.
  bool has_open_handshake(core::Instant now) const;
  /// After a turn. Peers that cannot go on in another process are left out.
  WorkerHandOver export_state(core::Instant now) const;
  /// Once, on a new worker with the clock of the one before: goes on where that one stopped. After an error
  /// (English, for the log) the worker is of no use.
  core::Result<void, std::string> restore(core::Instant now, WorkerHandOver state);
  bool is_consistent() const;

 private:
  void handle_one(core::Instant now, const Datagram& datagram, Ingress ingress);
  PeerEntry* find_by_address(const core::SocketAddress& from);
  PeerEntry* find_by_fragment(core::Bytes datagram);
  PeerEntry* find_peer(peer::PeerId id);
  PeerEntry* find_owner(sfu::SourceNumber number);

  void handle_rtp(core::Instant now, PeerEntry& entry, const peer::ReceivedRtp& received);
  void handle_rtcp(core::Instant now, PeerEntry& entry, const peer::ReceivedRtcp& received);
  void handle_report_block(core::Instant now, PeerEntry& entry, const rtp::ReportBlock& block);
  void handle_sender_report(core::Instant now, PeerEntry& entry, const rtp::SenderInfo& info);

  void mark_touched(PeerEntry& entry);
  void drain_peer(core::Instant now, PeerEntry& entry);
  void handle_peer_event(core::Instant now, PeerEntry& entry, const peer::Event& event);
  void register_receiver(core::Instant now, PeerEntry& entry);
  bool restore_peer(core::Instant now, PeerEntryHandOver& state);
  void drop_orphans(core::Instant now, const sfu::ForwarderState& state);
  void forget_addresses(PeerEntry& entry);
  void run_timers(core::Instant now);
  void send_receiver_report(core::Instant now, PeerEntry& entry);

  void send_media();
  void send_batch();
  enum class Pass : uint8_t { All, Sound, Pictures };
  void send_pass(Pass pass);
  void send_packets_of(PeerEntry& entry, uint32_t first);
  void send_packet(PeerEntry& entry, const sfu::ForwardedPacket& packet);
  void send_reports();
  void send_requests(core::Instant now);
  void send_rtcp(PeerEntry& entry, core::Bytes rtcp);
  void log_shows(core::Instant now);
  void push(Event event);

  WorkerConfig config_;
  peer::PeerServices services_;
  PacketOut& out_;
  sfu::PacketSlab slab_;
  sfu::Forwarder forwarder_;

  std::unordered_map<peer::PeerId, std::unique_ptr<PeerEntry>> peers_;
  std::unordered_map<core::SocketAddress, PeerEntry*> by_address_;
  std::unordered_map<std::string, PeerEntry*> by_fragment_;
  std::unordered_map<sfu::SourceNumber, PeerEntry*> owners_;
  std::vector<PeerEntry*> by_receiver_;  ///< index: ReceiverIndex
  std::vector<PeerEntry*> touched_;      ///< of this turn

  sfu::Batch batch_;
  // Copies of one batch are gathered by receiver, so that each one's packets leave as one train.
  std::vector<uint32_t> next_of_receiver_;  ///< parallel to batch_.packets
  std::vector<PeerEntry*> receivers_of_batch_;
  core::Instant next_scan_;

  LoadGovernor governor_;
  PeerLog log_;  ///< of the worker itself

  std::deque<Event> events_;
  WorkerCounters counters_;
  DroppedByPeers gone_;  ///< of peers that are closed
};

}  // namespace huitang::worker
