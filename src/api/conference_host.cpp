#include "api/conference_host.h"

#include <algorithm>
#include <array>

#include "api/host_rows.h"
#include "api/log.h"
#include "api/wire.h"
#include "core/check.h"
#include "huitang/v1/media.pb.h"

namespace huitang::api {
namespace {

constexpr core::Duration kTick = core::Duration::seconds(1);

}  // namespace

const ConferenceHost::MessageRow* ConferenceHost::find_row(int body_case) {
  using H = ConferenceHost;
  using M = v1::ClientMessage;
  static constexpr std::array kRows = {
      MessageRow{M::kHello, &H::handle_hello, false, 2},
      MessageRow{M::kOffer, &H::handle_offer, true, 10},
      MessageRow{M::kJoin, &H::handle_join, true, 5},
      MessageRow{M::kCommand, &H::handle_command, true, 1},
      MessageRow{M::kSetView, &H::handle_set_view, true, 1},
      MessageRow{M::kResync, &H::handle_resync, true, 5},
      MessageRow{M::kPing, &H::handle_ping, false, 0.5},
  };
  for (const MessageRow& row : kRows)
    if (row.body == body_case) return &row;
  return nullptr;
}

ConferenceHost::ConferenceHost(HostConfig config, Clock clock, core::Random& random,
                               const TokenSigner& signer, Metrics& metrics, Journal& journal)
    : config_(std::move(config)),
      clock_(std::move(clock)),
      random_(random),
      signer_(signer),
      tokens_(signer, metrics),
      metrics_(metrics),
      journal_(journal),
      joins_(kJoinRate),
      failed_joins_(kFailedJoinRate),
      hellos_(kHelloRate),
      next_tick_(clock_.monotonic()) {}

ConferenceHost::~ConferenceHost() { *alive_ = false; }

void ConferenceHost::attach(ClientSockets& sockets, MediaNode& media) {
  sockets_port_ = &sockets;
  media_ = &media;
}

void ConferenceHost::restore(std::vector<conference::Conference> conferences,
                             const KeptGenerations& generations) {
  for (conference::Conference& conference : conferences) {
    LiveConference& live = add_live(std::move(conference));
    for (const auto& [id, participant] : live.state().participants) {
      Session& session = add_session(participant.session.value);
      session.lost_at = clock_.monotonic();
      const auto kept = generations.find(session.id);
      session.kept_generation = kept == generations.end() ? 0 : kept->second;
      session.conference = live.number();
      session.participant = id;
      live.members.emplace(id, session.id);
      const uint32_t after = participant.first_source.value() + conference::kSourcesPerParticipant;
      next_source_ = std::max(next_source_, after);
    }
    logger().info("conference restored",
                  {{"conference", live.number()}, {"participants", live.members.size()}});
    if (!live.members.empty()) submit_fact(live, conference::AllSessionsLost{});
  }
  for (const auto& [session, generation] : generations)
    if (!sessions_.contains(session)) journal_.forget_generation(session);
  count_people();
}

void ConferenceHost::handle_open(SocketId id, const core::IpAddress& from) {
  auto socket = std::make_unique<Socket>();
  socket->id = id;
  socket->from = from;
  socket->opened = clock_.monotonic();
  sockets_.emplace(id, std::move(socket));
}

void ConferenceHost::handle_text(SocketId id, std::string_view text) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  Socket& socket = *at->second;
  v1::ClientMessage message;
  if (!parse_client_message(text, message)) return handle_broken(socket);
  const MessageRow* row = find_row(message.body_case());
  if (row == nullptr) return handle_broken(socket);
  if (!take_permits(socket, *row)) return;
  if (row->needs_session && session_of(socket) == nullptr)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_UNAUTHENTICATED,
                  "the first message has to be a hello");
  if (Session* session = session_of(socket)) handle_spoken(*session);
  (this->*row->handle)(socket, message);
  HUITANG_DCHECK(is_consistent());
}

void ConferenceHost::handle_closed(SocketId id) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  Session* session = session_of(*at->second);
  sockets_.erase(at);
  if (session == nullptr || session->socket != id) return;
  session->socket.reset();
  session->lost_at = clock_.monotonic();
  LiveConference* live = session->is_in() ? find_conference(session->conference) : nullptr;
  if (live != nullptr) submit_fact(*live, conference::SessionLost{session->participant});
}

bool ConferenceHost::take_permits(Socket& socket, const MessageRow& row) {
  if (socket.permits.try_take(clock_.monotonic(), row.permits)) return true;
  metrics_.add(Metric::MessagesLimited);
  refuse(socket, 0, v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "too many messages", {},
         socket.permits.wait_seconds(row.permits));
  if (++socket.strikes > kMaxStrikes) {
    metrics_.add(Metric::SocketsAbusive);
    sockets_port_->close(socket.id, CloseCode::TryAgainLater);
  }
  return false;
}

void ConferenceHost::handle_broken(Socket& socket) {
  metrics_.add(Metric::MessagesBroken);
  refuse(socket, 0, v1::REFUSAL_CODE_BAD_REQUEST, "not a message of huitang.v1");
  if (++socket.strikes <= kMaxStrikes) return;
  metrics_.add(Metric::SocketsAbusive);
  sockets_port_->close(socket.id, CloseCode::PolicyViolation);
}

void ConferenceHost::handle_time() {
  const core::Instant now = clock_.monotonic();
  for (const auto& [number, live] : conferences_) flush_speakers(*live, now);
  send_veiled(now);
  if (now < next_tick_) return;
  next_tick_ = now + kTick;
  for (const auto& [id, socket] : sockets_)
    if (socket->session.empty() && now - socket->opened >= config_.hello_time) {
      metrics_.add(Metric::SocketsAbusive);
      sockets_port_->close(id, CloseCode::PolicyViolation);
    }
  for (const auto& [number, live] : conferences_) watch_absences(*live, now);
  if (node_lost_at_ && now - *node_lost_at_ >= core::Duration::seconds(3)) {
    node_lost_at_.reset();
    for (const auto& [id, session] : sessions_)
      if (session->peer_life == PeerLife::Open) set_peer(*session, PeerLife::None, false);
  }
  std::vector<Session*> over;
  for (const auto& [id, session] : sessions_) {
    const bool away = !session->socket && now - session->lost_at >= config_.resume_window;
    if (away && !session->is_in() && !session->joining) over.push_back(session.get());
  }
  for (Session* session : over) end_session(*session);
  std::erase_if(conferences_, [](const auto& entry) {
    const LiveConference& live = *entry.second;
    return live.state().info.ended && live.writing == 0 && live.ledger.pending() == 0;
  });
  if (refused_joins_.handle_time(now)) logger().info("few joins are refused again");
  metrics_.set(Metric::JoinsAlarm, refused_joins_.is_up() ? 1 : 0);
  count_people();
  HUITANG_DCHECK(is_consistent());
}

std::string ConferenceHost::alarms() const {
  if (!refused_joins_.is_up()) return {};
  return std::to_string(refused_joins_.count()) +
         " joins were refused within a minute: somebody may be trying conference numbers. Each address is "
         "slowed down by itself; see huitang_joins_refused_total and the log.\n";
}

core::Instant ConferenceHost::deadline() const {
  core::Instant next = next_tick_;
  if (!veiled_.empty()) next = std::min(next, veiled_.front().due);
  for (const auto& [number, live] : conferences_)
    if (live->speakers_due) next = std::min(next, live->speakers_sent + core::Duration::millis(200));
  return next;
}

void ConferenceHost::begin_shutdown() {
  for (const auto& [id, socket] : sockets_) sockets_port_->close(id, CloseCode::GoingAway);
}

void ConferenceHost::send(const Socket& socket, const v1::ServerMessage& message) {
  sockets_port_->send(socket.id, std::make_shared<const std::string>(write_server_message(message)));
}

void ConferenceHost::send(const Session& session, const v1::ServerMessage& message) {
  if (session.socket)
    sockets_port_->send(*session.socket, std::make_shared<const std::string>(write_server_message(message)));
}

void ConferenceHost::refuse(const Socket& socket, uint32_t reply_to, v1::RefusalCode code,
                            std::string_view detail, const std::string& command_id, uint32_t retry_after) {
  v1::ServerMessage answer;
  answer.set_reply_to(reply_to);
  v1::Refused& refused = *answer.mutable_refused();
  refused.set_code(code);
  refused.set_detail(std::string(detail));
  refused.set_command_id(command_id);
  refused.set_retry_after_seconds(retry_after);
  send(socket, answer);
}

void ConferenceHost::count_people() {
  uint64_t listed = 0, away = 0;
  for (const auto& [number, live] : conferences_)
    for (const auto& [id, participant] : live->state().participants) {
      ++listed;
      away += participant.connection == v1::CONNECTION_STATE_RECONNECTING ? 1 : 0;
    }
  metrics_.set(Metric::Participants, listed);
  metrics_.set(Metric::ParticipantsReconnecting, away);
  metrics_.set(Metric::Conferences, conferences_.size());
  metrics_.set(Metric::Sessions, sessions_.size());
}

bool ConferenceHost::is_consistent() const {
  for (const auto& [id, socket] : sockets_) {
    if (socket->session.empty()) continue;
    // A session that ended or went to a newer socket leaves the older one behind until that is closed.
    if (socket->id != id) return false;
  }
  for (const auto& [id, session] : sessions_) {
    if (session->id != id || !peers_.contains(session->peer)) return false;
    if (!session->is_in()) continue;
    const auto live = conferences_.find(session->conference);
    if (live == conferences_.end()) return false;
    const auto member = live->second->members.find(session->participant);
    if (member == live->second->members.end() || member->second != id) return false;
  }
  if (!std::ranges::is_sorted(veiled_, {}, &VeiledRefusal::due)) return false;
  return peers_.size() == sessions_.size();
}

}  // namespace huitang::api
