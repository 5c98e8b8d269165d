// Connects sessions, conferences, journal and media node: the shell around conference::Conference.
//
//   sockets ──handle_text──▶ one row per message ──▶ Ledger ──▶ Journal ──▶ outcomes ──▶ answers, changes,
//   media plan
//
// Nothing is acknowledged, told or sent to the node before the journal has it. Everything runs on one thread;
// time comes in with `handle_time` and through the clock given at construction. The host holds no sockets,
// files or threads.
//
// Files: host_session.cpp (Hello, resume, sockets), host_peer.cpp (Offer, SetView), host_conference.cpp
// (Join, Command, outcomes), host_media.cpp (the node).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/alarm.h"
#include "api/client_sockets.h"
#include "api/host_ports.h"
#include "api/host_state.h"
#include "api/media_plan.h"
#include "api/metrics.h"
#include "api/session.h"
#include "api/token.h"
#include "api/token_bucket.h"
#include "api/token_gate.h"
#include "core/random.h"

namespace huitang::v1 {
class ClientMessage;
class Command;
class DebugSnapshot;
class GroupSpeakers;
class SlotPaused;
class Hello;
class Join;
class LayerDemand;
class NodeHealth;
class NodePeerState;
class Offer;
class ServerMessage;
class SetView;
}  // namespace huitang::v1

namespace huitang::api {

class Veil;

struct HostConfig {
  std::string base_url;  ///< "https://192.0.2.1:8443"
  std::string version;
  size_t conferences = 1000;
  size_t sessions = 10'000;
  conference::Settings conference_settings;
  core::Duration resume_window = core::Duration::seconds(60);
  core::Duration empty_time = core::Duration::seconds(1800);
  core::Duration hello_time = core::Duration::seconds(10);
  core::Duration refusal_time = core::Duration::millis(300);  ///< from a join to "no such conference"
};

struct Clock {
  std::function<core::Instant()> monotonic;
  std::function<core::WallTime()> wall;
};

struct CreatedConference {
  std::string number;
  std::string link;
  std::string chair_link;
};

class ConferenceHost final : public SocketHandler, public MediaEvents {
 public:
  ConferenceHost(HostConfig config, Clock clock, core::Random& random, const TokenSigner& signer,
                 Metrics& metrics, Journal& journal);
  ~ConferenceHost() override;

  /// Both outlive the host and may be absent only until the first socket opens.
  void attach(ClientSockets& sockets, MediaNode& media);
  /// Once at start: the conferences that were live when the journal was last written. Their sessions are
  /// lost, and may come back within the resume window.
  void restore(std::vector<conference::Conference> conferences, const KeptGenerations& generations);

  // --- SocketHandler
  void handle_open(SocketId socket, const core::IpAddress& from) override;
  void handle_text(SocketId socket, std::string_view text) override;
  void handle_closed(SocketId socket) override;

  // --- MediaEvents
  void handle_node_ready(const v1::Snapshot& snapshot) override;
  void handle_node_lost() override;
  void handle_node_event(const v1::MediaMessage& event) override;

  /// Deadlines of sessions and conferences; call at `deadline()` or more often.
  void handle_time();
  core::Instant deadline() const;

  using CreateHandler = std::function<void(core::Result<CreatedConference, conference::Refusal>)>;
  void create_conference(std::string title, CreateHandler done);
  /// Title of a live conference that lets people in; absent for every other number.
  std::optional<std::string> look_up(const std::string& number) const;
  /// Longest live conference, for the demo.
  std::optional<std::string> any_conference() const;

  /// What a caretaker should know, one line each in plain words; nothing when all is well.
  std::string alarms() const;

  /// For the administrator: sockets, sessions, conferences (host_snapshot.cpp).
  void fill_snapshot(v1::DebugSnapshot& out, const Veil& veil) const;

  /// Before the process ends: sockets are told to come back later.
  void begin_shutdown();
  bool is_consistent() const;

 private:
  struct MessageRow;
  using Outcome = conference::Ledger::Outcome;

  static const MessageRow* find_row(int body_case);

  // host_session.cpp
  bool take_permits(Socket& socket, const MessageRow& row);
  void handle_broken(Socket& socket);
  void handle_hello(Socket& socket, const v1::ClientMessage& message);
  void handle_ping(Socket& socket, const v1::ClientMessage& message);
  void handle_resync(Socket& socket, const v1::ClientMessage& message);
  Session* resume(const Socket& socket, const std::string& token);
  void handle_spoken(Session& session);
  void say_farewell(const Session& session);
  Session* make_session();
  bool end_one_idle_session();
  void keep_generation(const Session& session);
  void set_standing(const Session& session);
  Session& add_session(SessionId id);
  void welcome(Socket& socket, Session& session, uint32_t reply_to, bool resumed);
  void replace_socket(Session& session, Socket& by);
  void end_session(Session& session);
  Session* session_of(const Socket& socket);
  Session* find_session(const SessionId& id);

  // host_peer.cpp
  void handle_offer(Socket& socket, const v1::ClientMessage& message);
  void handle_set_view(Socket& socket, const v1::ClientMessage& message);
  void close_peer(Session& session);

  // host_conference.cpp
  void handle_join(Socket& socket, const v1::ClientMessage& message);
  void handle_command(Socket& socket, const v1::ClientMessage& message);
  bool is_invited(const Socket& socket, const v1::Join& join);
  void veil(const Pending& pending);
  void send_veiled(core::Instant now);
  LiveConference* find_conference(const std::string& number);
  /// None when the text is no number; otherwise there need not be such a conference.
  static GroupId group_of(const std::string& number);
  LiveConference& add_live(conference::Conference conference);
  void submit(LiveConference& live, const conference::Command& command, const conference::Actor& actor,
              Pending pending);
  void submit_fact(LiveConference& live, conference::Operation fact);
  void pump(LiveConference& live);
  void finish(LiveConference& live, Outcome outcome);
  void finish_done(LiveConference& live, const Pending& pending, const conference::Effects& effects);
  void finish_refused(LiveConference& live, const Pending& pending, const conference::Refusal& refusal);
  void answer_join(LiveConference& live, const Pending& pending, conference::ParticipantId joined);
  void tell_change(LiveConference& live, const conference::Change& change, const SessionId& except);
  void let_gone_go(LiveConference& live, const conference::Change& change);
  void send_state(Session& session, const LiveConference& live);
  void watch_absences(LiveConference& live, core::Instant now);
  void create_with_number(std::string title, CreateHandler done, int tries_left);
  std::string link_of(const std::string& number) const;

  // host_media.cpp
  void sync_media(LiveConference& live);
  MediaPlan wanted_plan(const LiveConference& live) const;
  void ask_node(v1::MediaMessage message);
  void handle_peer_state(const v1::NodePeerState& state);
  void handle_speakers(const v1::GroupSpeakers& speakers);
  void handle_paused(const v1::SlotPaused& slot);
  void tell_paused(const Session& session);
  void handle_health(const v1::NodeHealth& health);
  bool is_full(std::optional<uint32_t> worker) const;
  void handle_demand(const v1::LayerDemand& demand);
  void tell_demands(const Session& session);
  void flush_speakers(LiveConference& live, core::Instant now);
  void set_peer(Session& session, PeerLife life, bool connected);
  void tell_peer(const Session& session, v1::PeerState state, bool please_reconnect);
  void take_snapshot(const v1::Snapshot& snapshot);
  Session* find_session(PeerId peer);

  // Answers
  void send(const Socket& socket, const v1::ServerMessage& message);
  void send(const Session& session, const v1::ServerMessage& message);
  void refuse(const Socket& socket, uint32_t reply_to, v1::RefusalCode code, std::string_view detail,
              const std::string& command_id = {}, uint32_t retry_after = 0);
  void count_people();

  HostConfig config_;
  Clock clock_;
  core::Random& random_;
  const TokenSigner& signer_;
  TokenGate tokens_;
  Metrics& metrics_;
  Journal& journal_;
  ClientSockets* sockets_port_ = nullptr;
  MediaNode* media_ = nullptr;

  std::unordered_map<SocketId, std::unique_ptr<Socket>> sockets_;
  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<PeerId, SessionId> peers_;
  std::map<std::string, std::unique_ptr<LiveConference>> conferences_;
  std::unordered_map<uint64_t, Pending> pending_;
  uint64_t next_token_ = 1;
  uint32_t next_source_ = 16;
  AddressLimiter joins_;
  AddressLimiter failed_joins_;
  AddressLimiter hellos_;
  Alarm refused_joins_{kRefusedJoinsAMinute};
  std::deque<VeiledRefusal> veiled_;  ///< by due time; at most one a session
  core::Instant next_tick_;
  std::optional<core::Instant> node_lost_at_;
  std::vector<uint32_t> worker_levels_;  ///< WorkerLoad::level of each; empty before the node told
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace huitang::api
