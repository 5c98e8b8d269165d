// For tests and fuzzing only: a conference host in virtual time with a journal in memory, a media node that
// answers at once, and sockets that keep what was sent to them.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/conference_host.h"
#include "api/wire.h"
#include "huitang/v1/media.pb.h"
#include "huitang/v1/signaling.pb.h"

namespace huitang::api {

class HostHarness : public ClientSockets, public Journal, public MediaNode {
 public:
  static constexpr std::string_view kBadOffer = "bad";  ///< an offer that the node refuses

  explicit HostHarness(uint64_t seed = 1) : random_(seed), signer_(crypto::Ed25519Key::generate(random_)) {
    start();
  }

  /// As after a restart of the process: a new host over what the journal holds.
  void restart_host() {
    work.clear();
    closed.clear();
    host.reset();
    start();
    std::vector<conference::Conference> live;
    for (const auto& [number, conference] : journal)
      if (!conference.info().ended) live.push_back(conference);
    host->restore(std::move(live), KeptGenerations(generations));
    turn();
  }

  /// Runs what journal and node have to say, until nothing is left.
  void turn() {
    while (!work.empty()) {
      const std::function<void()> next = std::move(work.front());
      work.pop_front();
      next();
    }
    for (const SocketId socket : std::exchange(closing, {})) host->handle_closed(socket);
    if (!work.empty()) turn();
  }
  void pass(core::Duration span) {
    const core::Instant until = now + span;
    while (now < until) {
      now = std::min(until, std::max(host->deadline(), now + core::Duration::millis(10)));
      host->handle_time();
      turn();
    }
  }

  SocketId open(const core::IpAddress& from = core::IpAddress::v4(10, 0, 0, 1)) {
    const SocketId socket(++last_socket);
    host->handle_open(socket, from);
    return socket;
  }
  void say(SocketId socket, const std::string& json) {
    host->handle_text(socket, json);
    turn();
  }
  void lose(SocketId socket) {
    host->handle_closed(socket);
    turn();
  }

  // What came back to a socket, oldest first.
  std::vector<v1::ServerMessage>& got(SocketId socket) { return received[socket]; }
  const v1::ServerMessage* find(SocketId socket, v1::ServerMessage::BodyCase body) {
    for (auto at = received[socket].rbegin(); at != received[socket].rend(); ++at)
      if (at->body_case() == body) return &*at;
    return nullptr;
  }
  v1::RefusalCode refusal(SocketId socket) {
    const v1::ServerMessage* message = find(socket, v1::ServerMessage::kRefused);
    return message == nullptr ? v1::REFUSAL_CODE_UNSPECIFIED : message->refused().code();
  }

  // Shortcuts through the usual steps.
  SocketId hello(const std::string& token = "") {
    const SocketId socket = open();
    say(socket, R"({"id":1,"hello":{"protocol":1,"resumeToken":")" + token + "\"}}");
    return socket;
  }
  std::string token_of(SocketId socket) {
    const v1::ServerMessage* message = find(socket, v1::ServerMessage::kWelcome);
    return message == nullptr ? "" : message->welcome().resume_token();
  }
  void offer(SocketId socket) { say(socket, R"({"id":2,"offer":{"sdp":"v=0"}})"); }
  std::string join(SocketId socket, const std::string& number, const std::string& name,
                   const std::string& invite = "") {
    say(socket, R"({"id":3,"join":{"number":")" + number + R"(","name":")" + name + R"(","invite":")" +
                    invite + R"(","microphoneOn":true,"cameraOn":true}})");
    const v1::ServerMessage* message = find(socket, v1::ServerMessage::kJoined);
    return message == nullptr ? "" : message->joined().participant_id();
  }
  CreatedConference create() {
    CreatedConference created;
    host->create_conference("Weekly", [&](core::Result<CreatedConference, conference::Refusal> made) {
      if (made) created = *made;
    });
    turn();
    return created;
  }
  static std::string invite_of(const CreatedConference& created) {
    return created.chair_link.substr(created.chair_link.find("#invite=") + 8);
  }

  // --- ClientSockets
  void send(SocketId socket, SharedText text) override {
    v1::ServerMessage message;
    google_parse(*text, message);
    received[socket].push_back(std::move(message));
    raw[socket].push_back(*text);
  }
  void close(SocketId socket, CloseCode code) override {
    closed[socket] = code;
    closing.insert(socket);
  }
  void set_standing(SocketId socket, Standing now_is) override { standing[socket] = now_is; }
  // --- Journal
  void add_conference(const conference::Conference& conference, Done done) override {
    work.push_back([this, conference, done] {
      if (disk_full)
        return done(core::err(core::Failure{std::make_error_code(std::errc::no_space_on_device), "write"}));
      journal.emplace(conference.info().number, conference);
      done({});
    });
  }
  void append(const std::string& number, const conference::Change& change, Done done) override {
    work.push_back([this, number, change, done] {
      if (disk_full)
        return done(core::err(core::Failure{std::make_error_code(std::errc::no_space_on_device), "write"}));
      const auto at = journal.find(number);
      if (at == journal.end() || !at->second.replay({&change, 1}))
        return done(core::err(core::Failure{std::make_error_code(std::errc::bad_message), "replay"}));
      done({});
    });
  }
  void keep_generation(const std::string& session, uint64_t generation) override {
    if (!disk_full) generations[session] = generation;
  }
  void forget_generation(const std::string& session) override { generations.erase(session); }
  // --- MediaNode
  bool is_ready() const override { return node_ready; }
  void request(v1::MediaMessage message, ReplyHandler on_reply) override {
    work.push_back([this, message, on_reply] {
      v1::MediaMessage reply;
      reply.mutable_done();
      if (message.has_open_peer()) reply.mutable_peer_opened()->set_answer("answer");
      if (message.has_open_peer() && message.open_peer().offer() == kBadOffer) {
        reply.mutable_error()->set_code(v1::REFUSAL_CODE_BAD_SDP);
        if (on_reply) on_reply(&reply);
        return;
      }
      apply_to_node(message);
      asked.push_back(message);
      if (on_reply) on_reply(node_ready ? &reply : nullptr);
    });
  }
  void node_event(const v1::MediaMessage& event) {
    host->handle_node_event(event);
    turn();
  }
  void peer_state(uint64_t peer, v1::PeerState state) {
    v1::MediaMessage event;
    event.mutable_peer_state()->set_peer(peer);
    event.mutable_peer_state()->set_state(state);
    node_event(event);
  }
  void lose_node() {
    node_ready = false;
    host->handle_node_lost();
    turn();
  }
  void node_back(bool is_new) {
    node_ready = true;
    if (is_new) node = {};
    host->handle_node_ready(node);
    turn();
  }
  /// What the node holds of a source; null when it is not bound.
  const v1::BindSource* bound(uint32_t source) const {
    for (const v1::BindSource& bind : node.sources())
      if (bind.source() == source) return &bind;
    return nullptr;
  }
  const v1::SnapshotPeer* peer(uint64_t id) const {
    for (const v1::SnapshotPeer& held : node.peers())
      if (held.peer() == id) return &held;
    return nullptr;
  }
  size_t asked_count(v1::MediaMessage::BodyCase body) const {
    size_t n = 0;
    for (const v1::MediaMessage& message : asked) n += message.body_case() == body ? 1 : 0;
    return n;
  }

  core::Instant now = core::Instant::from_nanos(1'000'000'000);
  Metrics metrics;
  std::unique_ptr<ConferenceHost> host;
  std::deque<std::function<void()>> work;
  std::map<std::string, conference::Conference> journal;
  KeptGenerations generations;
  std::map<SocketId, std::vector<v1::ServerMessage>> received;
  std::map<SocketId, std::vector<std::string>> raw;
  std::map<SocketId, CloseCode> closed;
  std::map<SocketId, Standing> standing;
  std::set<SocketId> closing;
  std::vector<v1::MediaMessage> asked;
  v1::Snapshot node;
  bool node_ready = true;
  bool disk_full = false;
  uint64_t last_socket = 0;

 private:
  void start() {
    HostConfig config;
    config.base_url = "https://box";
    Clock clock;
    clock.monotonic = [this] { return now; };
    clock.wall = [this] {
      return core::WallTime::from_unix_millis(1'700'000'000'000 + now.to_nanos() / 1'000'000);
    };
    host = std::make_unique<ConferenceHost>(config, clock, random_, signer_, metrics, *this);
    host->attach(*this, *this);
  }
  static void google_parse(const std::string& text, v1::ServerMessage& message);
  void apply_to_node(const v1::MediaMessage& message);

  core::SeededRandom random_;
  TokenSigner signer_;
};

}  // namespace huitang::api
