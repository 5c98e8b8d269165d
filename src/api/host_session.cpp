// The conference host's family of session messages: Hello and resume, Ping, Resync.
#include <algorithm>

#include "api/conference_host.h"
#include "api/log.h"
#include "api/wire.h"
#include "crypto/hash.h"
#include "crypto/system_random.h"

namespace huitang::api {
namespace {

constexpr uint32_t kProtocol = 1;
constexpr uint32_t kAudioSlots = 6, kVideoSlots = 16, kShareSlots = 2, kPairedSlots = 6;
/// A token has to outlive the socket it was given on.
constexpr int64_t kResumeTokenMillis = 24LL * 3600 * 1000;

/// The same for a session before and after a restart of serve, so that a living media process is found again.
PeerId peer_of(const SessionId& id) {
  const crypto::Sha256Digest digest = crypto::sha256(core::as_bytes("huitang.peer." + id));
  return PeerId(core::load_u64(digest.data()) | 1);
}

}  // namespace

Session* ConferenceHost::find_session(const SessionId& id) {
  const auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : at->second.get();
}

Session* ConferenceHost::session_of(const Socket& socket) {
  Session* session = socket.session.empty() ? nullptr : find_session(socket.session);
  return session != nullptr && session->socket == socket.id ? session : nullptr;
}

Session& ConferenceHost::add_session(SessionId id) {
  auto session = std::make_unique<Session>();
  session->id = id;
  session->peer = peer_of(id);
  Session& added = *session;
  peers_.emplace(session->peer, id);
  sessions_.emplace(std::move(id), std::move(session));
  return added;
}

/// Makes room: of the sessions without socket and conference, the one that was lost first.
bool ConferenceHost::end_one_idle_session() {
  Session* oldest = nullptr;
  for (const auto& [id, session] : sessions_) {
    if (session->socket || session->is_in() || session->joining) continue;
    if (oldest == nullptr || session->lost_at < oldest->lost_at) oldest = session.get();
  }
  if (oldest == nullptr) return false;
  end_session(*oldest);
  return true;
}

Session* ConferenceHost::make_session() {
  if (sessions_.size() >= config_.sessions && !end_one_idle_session()) return nullptr;
  Session& session = add_session(crypto::make_token(random_));
  session.generation = 0;
  return &session;
}

Session* ConferenceHost::resume(const Socket& socket, const std::string& token) {
  const TokenContext context{clock_.monotonic(), clock_.wall(), socket.from};
  const std::optional<Claims> claims = tokens_.verify(context, Audience::Resume, token);
  if (!claims) return nullptr;
  auto refused = [&](std::string_view why) {
    tokens_.refuse(context, Audience::Resume, why);
    return nullptr;
  };
  Session* session = find_session(claims->session);
  if (session == nullptr) return refused("its session is over");
  const bool is_good = !session->generation ? claims->generation >= session->kept_generation
                                            : claims->generation == *session->generation ||
                                                  claims->generation == session->replaced_generation;
  if (!is_good) return refused("used before");
  const bool has_left = session->farewell && claims->conference == session->farewell->conference;
  if (!claims->conference.empty() && claims->conference != session->conference && !has_left)
    return refused("of another conference");
  session->replaced_generation = claims->generation;
  session->generation = std::max(claims->generation, session->generation.value_or(0));
  return session;
}

/// The client has the newest token: the one before it is spent for good.
void ConferenceHost::handle_spoken(Session& session) {
  if (!session.replaced_generation) return;
  session.replaced_generation.reset();
  keep_generation(session);
}

void ConferenceHost::handle_hello(Socket& socket, const v1::ClientMessage& message) {
  const v1::Hello& hello = message.hello();
  if (!socket.session.empty())
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_REQUEST, "a socket takes one hello");
  if (hello.protocol() != kProtocol)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_REQUEST, "protocol 1 is spoken here");
  Session* session = hello.resume_token().empty() ? nullptr : resume(socket, hello.resume_token());
  const bool resumed = session != nullptr;
  if (resumed) metrics_.add(Metric::SessionsResumed);
  if (!resumed && !hellos_.try_take(clock_.monotonic(), socket.from))
    return refuse(socket, message.id(), v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "too many new sessions from here",
                  {}, hellos_.wait_seconds(socket.from));
  if (!resumed) session = make_session();
  if (session == nullptr)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BOX_FULL, "too many sessions", {}, 30);
  replace_socket(*session, socket);
  welcome(socket, *session, message.id(), resumed);
  if (!resumed) return;
  LiveConference* live = session->is_in() ? find_conference(session->conference) : nullptr;
  if (live != nullptr) {
    send_state(*session, *live);
    submit_fact(*live, conference::SessionBack{session->participant});
  }
  if (live == nullptr && session->farewell) say_farewell(*session);
  tell_paused(*session);
  if (session->peer_life == PeerLife::None && media_->is_ready())
    tell_peer(*session, v1::PEER_STATE_UNSPECIFIED, true);
  tell_demands(*session);
}

void ConferenceHost::replace_socket(Session& session, Socket& by) {
  if (session.socket) {
    metrics_.add(Metric::SocketsReplaced);
    v1::ServerMessage left;
    left.mutable_left()->set_reason(v1::LEAVE_REASON_REPLACED);
    send(session, left);
    sockets_port_->close(*session.socket, CloseCode::Replaced);
  }
  session.socket = by.id;
  by.session = session.id;
  set_standing(session);
}

void ConferenceHost::say_farewell(const Session& session) {
  v1::ServerMessage left;
  left.mutable_left()->set_reason(session.farewell->reason);
  send(session, left);
}

void ConferenceHost::set_standing(const Session& session) {
  if (session.socket)
    sockets_port_->set_standing(*session.socket, session.is_in() ? Standing::Member : Standing::Guest);
}

void ConferenceHost::keep_generation(const Session& session) {
  if (session.is_in() && session.generation) journal_.keep_generation(session.id, *session.generation);
}

void ConferenceHost::welcome(Socket& socket, Session& session, uint32_t reply_to, bool resumed) {
  const core::WallTime now = clock_.wall();
  Claims claims;
  claims.audience = Audience::Resume;
  claims.session = session.id;
  claims.conference = session.is_in() ? session.conference : "";
  claims.generation = session.generation.value_or(0) + 1;
  claims.issued = now;
  claims.expires = core::WallTime::from_unix_millis(now.to_unix_millis() + kResumeTokenMillis);
  claims.nonce = crypto::make_token(random_, 9);
  session.generation = claims.generation;
  v1::ServerMessage answer;
  answer.set_reply_to(reply_to);
  v1::Welcome& welcome = *answer.mutable_welcome();
  welcome.set_session_id(session.id.substr(0, 8));
  welcome.set_resume_token(signer_.sign(claims));
  welcome.set_resumed(resumed);
  welcome.mutable_slots()->set_audio(kAudioSlots);
  welcome.mutable_slots()->set_video(kVideoSlots);
  welcome.mutable_slots()->set_share(kShareSlots);
  welcome.mutable_slots()->set_paired(kPairedSlots);
  welcome.set_resume_seconds(static_cast<uint32_t>(config_.resume_window.to_seconds()));
  welcome.set_server_version(config_.version);
  send(socket, answer);
}

void ConferenceHost::end_session(Session& session) {
  close_peer(session);
  if (session.socket) {
    const auto socket = sockets_.find(*session.socket);
    if (socket != sockets_.end()) socket->second->session.clear();
  }
  peers_.erase(session.peer);
  sessions_.erase(SessionId(session.id));
}

void ConferenceHost::handle_ping(Socket& socket, const v1::ClientMessage& message) {
  v1::ServerMessage answer;
  answer.set_reply_to(message.id());
  answer.mutable_pong()->set_at(message.ping().at());
  send(socket, answer);
}

void ConferenceHost::handle_resync(Socket& socket, const v1::ClientMessage& message) {
  Session& session = *session_of(socket);
  LiveConference* live = session.is_in() ? find_conference(session.conference) : nullptr;
  if (live == nullptr) return refuse(socket, message.id(), v1::REFUSAL_CODE_NOT_IN, "not in a conference");
  v1::ServerMessage answer;
  answer.set_reply_to(message.id());
  *answer.mutable_state() =
      to_wire(live->ledger.written(), session.participant, clock_.wall(), link_of(live->number()));
  send(socket, answer);
}

}  // namespace huitang::api
