// The conference host's family of conference messages: Join and Command, their way through the journal, and
// what comes of them.
#include <algorithm>
#include <charconv>

#include "api/conference_host.h"
#include "api/log.h"
#include "api/wire.h"

namespace huitang::api {
namespace {

constexpr uint32_t kFirstNumber = 100'000'000, kNumbers = 900'000'000;
constexpr int64_t kChairTokenMillis = 30LL * 24 * 3600 * 1000;
constexpr size_t kMaxFactsKept = 10'000;

conference::Actor system() { return {std::nullopt, v1::ENTRANCE_AUTOMATIC}; }

bool is_number(const std::string& text) {
  return text.size() == 9 && text.find_first_not_of("0123456789") == std::string::npos;
}

/// Refusals of a join from which a stranger would learn that the conference is there.
bool tells_of_conference(v1::RefusalCode code) {
  return code == v1::REFUSAL_CODE_LOCKED || code == v1::REFUSAL_CODE_REMOVED ||
         code == v1::REFUSAL_CODE_LIMIT_REACHED || code == v1::REFUSAL_CODE_ENDED ||
         code == v1::REFUSAL_CODE_NOT_FOUND;
}

bool is_private(const conference::Change& change) {
  return std::ranges::any_of(change.chat,
                             [](const conference::ChatMessage& message) { return message.to.has_value(); });
}

}  // namespace

std::string ConferenceHost::link_of(const std::string& number) const {
  return config_.base_url + "/j/" + number;
}

LiveConference* ConferenceHost::find_conference(const std::string& number) {
  const auto at = conferences_.find(number);
  return at == conferences_.end() ? nullptr : at->second.get();
}

GroupId ConferenceHost::group_of(const std::string& number) {
  uint64_t group = 0;
  if (is_number(number)) std::from_chars(number.data(), number.data() + number.size(), group);
  return GroupId(group);
}

LiveConference& ConferenceHost::add_live(conference::Conference conference) {
  auto live = std::make_unique<LiveConference>(std::move(conference));
  const std::string& number = live->number();
  live->group = group_of(number);
  LiveConference& added = *live;
  conferences_[number] = std::move(live);
  return added;
}

std::optional<std::string> ConferenceHost::look_up(const std::string& number) const {
  const auto at = conferences_.find(number);
  if (at == conferences_.end()) return std::nullopt;
  const conference::State& state = at->second->state();
  const bool is_full = state.participants.size() >= state.info.settings.limits.participants;
  if (state.info.ended || state.info.locked || is_full) return std::nullopt;
  return state.info.title;
}

std::optional<std::string> ConferenceHost::any_conference() const {
  const LiveConference* oldest = nullptr;
  for (const auto& [number, live] : conferences_) {
    if (live->state().info.ended) continue;
    if (oldest == nullptr || live->state().info.started < oldest->state().info.started) oldest = live.get();
  }
  return oldest == nullptr ? std::nullopt : std::optional(oldest->number());
}

void ConferenceHost::create_conference(std::string title, CreateHandler done) {
  if (conferences_.size() >= config_.conferences)
    return done(
        core::err(conference::Refusal{v1::REFUSAL_CODE_BOX_FULL, "as many conferences as this box takes"}));
  if (is_full(std::nullopt))
    return done(core::err(conference::Refusal{v1::REFUSAL_CODE_BOX_FULL,
                                              "this box carries no more conferences at the moment"}));
  create_with_number(std::move(title), std::move(done), 8);
}

void ConferenceHost::create_with_number(std::string title, CreateHandler done, int tries_left) {
  const std::string number = std::to_string(kFirstNumber + random_.below(kNumbers));
  core::Result<conference::Conference, conference::Refusal> made =
      conference::Conference::create(clock_.wall(), {number, title, config_.conference_settings});
  if (!made) return done(core::err(made.error()));
  journal_.add_conference(
      *made, [this, alive = std::weak_ptr(alive_), made = *made, number, title, done = std::move(done),
              tries_left](core::Result<void, core::Failure> written) {
        if (alive.expired()) return;
        if (!written) {
          // Most likely the number was used before; anything else fails again just as well.
          if (tries_left > 0) return create_with_number(title, done, tries_left - 1);
          metrics_.add(Metric::JournalFailures);
          return done(core::err(conference::Refusal{v1::REFUSAL_CODE_STORE_UNAVAILABLE,
                                                    "the conference could not be written down"}));
        }
        metrics_.add(Metric::JournalWrites);
        add_live(made);
        logger().info("conference created", {{"conference", number}});
        const core::WallTime now = clock_.wall();
        Claims chair;
        chair.audience = Audience::Chair;
        chair.conference = number;
        chair.issued = now;
        chair.expires = core::WallTime::from_unix_millis(now.to_unix_millis() + kChairTokenMillis);
        done(CreatedConference{number, link_of(number), link_of(number) + "#invite=" + signer_.sign(chair)});
      });
}

void ConferenceHost::handle_join(Socket& socket, const v1::ClientMessage& message) {
  Session& session = *session_of(socket);
  const v1::Join& join = message.join();
  const core::Instant now = clock_.monotonic();
  auto refused = [&](v1::RefusalCode code, std::string_view detail, uint32_t retry_after = 0) {
    metrics_.add(Metric::JoinsRefused);
    refuse(socket, message.id(), code, detail, {}, retry_after);
  };
  if (session.joining || (session.is_in() && session.conference != join.number()))
    return refused(v1::REFUSAL_CODE_CONFLICT, "this session is in a conference; leave it first");
  if (!joins_.try_take(now, socket.from) || !failed_joins_.has(now, socket.from))
    return refused(v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "too many joins from here",
                   std::max(joins_.wait_seconds(socket.from), failed_joins_.wait_seconds(socket.from)));
  const bool invited = is_invited(socket, join);
  // Who is in already stays in whatever the load, and the chair is the last to be kept out. Said before anything
  // is looked up, so that it tells nothing about the number.
  if (!session.is_in() && !invited && is_full(session.worker))
    return refused(v1::REFUSAL_CODE_BOX_FULL, "this box carries no more participants", kFullRetrySeconds);
  LiveConference* live = is_number(join.number()) ? find_conference(join.number()) : nullptr;
  const bool ended = live == nullptr || live->state().info.ended;
  // An invitation of ours to a conference that is not there: it was.
  if (ended && invited) return refused(v1::REFUSAL_CODE_ENDED, "the conference has ended");
  Pending pending;
  pending.kind = Pending::Kind::Join;
  pending.session = session.id;
  pending.socket = socket.id;
  pending.reply_to = message.id();
  pending.may_know = invited || session.is_in();
  pending.answered_at = now + config_.refusal_time;
  session.joining = true;
  if (ended) return veil(pending);
  conference::Join operation;
  operation.session = {session.id};
  operation.name = join.name();
  operation.microphone_on = join.microphone_on();
  operation.camera_on = join.camera_on();
  operation.has_chair_token = invited;
  operation.peer_connected = session.peer_connected;
  operation.first_source = conference::SourceNumber(next_source_);
  next_source_ += conference::kSourcesPerParticipant;
  session.conference = join.number();
  submit(*live, {"", std::move(operation)}, {std::nullopt, v1::ENTRANCE_PAGE}, std::move(pending));
}

/// Whether the joiner shows a token of this very conference. What is checked does not depend on whether there
/// is such a conference.
bool ConferenceHost::is_invited(const Socket& socket, const v1::Join& join) {
  if (join.invite().empty()) return false;
  const TokenContext context{clock_.monotonic(), clock_.wall(), socket.from};
  const std::optional<Claims> chair = tokens_.verify(context, Audience::Chair, join.invite());
  if (!chair || chair->conference == join.number()) return chair.has_value();
  tokens_.refuse(context, Audience::Chair, "of another conference");
  return false;
}

void ConferenceHost::veil(const Pending& pending) {
  // A join that waited for the disk longer than that is answered at once.
  const core::Instant due =
      veiled_.empty() ? pending.answered_at : std::max(pending.answered_at, veiled_.back().due);
  veiled_.push_back({due, pending.session, pending.socket, pending.reply_to});
}

void ConferenceHost::send_veiled(core::Instant now) {
  while (!veiled_.empty() && veiled_.front().due <= now) {
    const VeiledRefusal refusal = std::move(veiled_.front());
    veiled_.pop_front();
    metrics_.add(Metric::JoinsRefused);
    if (refused_joins_.handle_event(now))
      logger().warn("many joins are refused: somebody may be trying conference numbers",
                    {{"allowed_a_minute", kRefusedJoinsAMinute}});
    if (Session* session = find_session(refusal.session)) {
      session->joining = false;
      if (!session->is_in()) session->conference.clear();
    }
    const auto socket = sockets_.find(refusal.socket);
    if (socket == sockets_.end()) continue;
    failed_joins_.take_on_credit(now, socket->second->from);
    refuse(*socket->second, refusal.reply_to, v1::REFUSAL_CODE_NOT_FOUND,
           "no such conference, or it lets nobody in at the moment");
  }
}

void ConferenceHost::handle_command(Socket& socket, const v1::ClientMessage& message) {
  Session& session = *session_of(socket);
  const v1::Command& command = message.command();
  std::optional<conference::Operation> operation = from_wire(command);
  if (!operation)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_BAD_REQUEST, "a command without an operation",
                  command.command_id());
  LiveConference* live = session.is_in() ? find_conference(session.conference) : nullptr;
  if (live == nullptr)
    return refuse(socket, message.id(), v1::REFUSAL_CODE_NOT_IN, "not in a conference", command.command_id());
  Pending pending;
  pending.kind = Pending::Kind::Command;
  pending.session = session.id;
  pending.socket = socket.id;
  pending.reply_to = message.id();
  pending.command_id = command.command_id();
  submit(*live, {command.command_id(), std::move(*operation)}, {session.participant, v1::ENTRANCE_PAGE},
         std::move(pending));
}

void ConferenceHost::submit(LiveConference& live, const conference::Command& command,
                            const conference::Actor& actor, Pending pending) {
  const uint64_t token = next_token_++;
  pending_.emplace(token, std::move(pending));
  live.ledger.handle_command(clock_.wall(), token, command, actor);
  pump(live);
}

void ConferenceHost::submit_fact(LiveConference& live, conference::Operation fact) {
  Pending pending;
  pending.fact = fact;
  submit(live, {"", std::move(fact)}, system(), std::move(pending));
}

void ConferenceHost::pump(LiveConference& live) {
  while (std::optional<conference::Ledger::Write> write = live.ledger.poll_write()) {
    ++live.writing;
    const conference::Change change = write->change;
    journal_.append(live.number(), change,
                    [this, alive = std::weak_ptr(alive_), number = live.number(),
                     write = *write](core::Result<void, core::Failure> written) {
                      LiveConference* now = alive.expired() ? nullptr : find_conference(number);
                      if (now == nullptr) return;
                      --now->writing;
                      metrics_.add(written ? Metric::JournalWrites : Metric::JournalFailures);
                      if (!written)
                        logger().error("journal write failed", {{"conference", number},
                                                                {"error", written.error().code.message()},
                                                                {"what", written.error().context}});
                      if (written) {
                        now->ledger.handle_written(write);
                      } else {
                        now->ledger.handle_write_failed(write);
                      }
                      pump(*now);
                    });
  }
  while (std::optional<Outcome> outcome = live.ledger.poll_outcome()) finish(live, std::move(*outcome));
}

void ConferenceHost::finish(LiveConference& live, Outcome outcome) {
  const auto at = pending_.find(outcome.token);
  if (at == pending_.end()) return;
  const Pending pending = std::move(at->second);
  pending_.erase(at);
  if (outcome.result) {
    finish_done(live, pending, *outcome.result);
  } else {
    finish_refused(live, pending, outcome.result.error());
  }
}

void ConferenceHost::finish_done(LiveConference& live, const Pending& pending,
                                 const conference::Effects& effects) {
  if (effects.joined) answer_join(live, pending, *effects.joined);
  const SessionId joiner = effects.joined ? pending.session : SessionId();
  if (effects.change) tell_change(live, *effects.change, joiner);
  const auto socket = sockets_.find(pending.socket);
  if (pending.kind == Pending::Kind::Command && socket != sockets_.end()) {
    metrics_.add(Metric::CommandsDone);
    v1::ServerMessage done;
    done.set_reply_to(pending.reply_to);
    done.mutable_command_done()->set_command_id(pending.command_id);
    send(*socket->second, done);
  }
  if (!effects.change) return;
  let_gone_go(live, *effects.change);
  sync_media(live);
}

void ConferenceHost::answer_join(LiveConference& live, const Pending& pending,
                                 conference::ParticipantId joined) {
  Session* session = find_session(pending.session);
  live.members[joined] = pending.session;
  if (session != nullptr) {
    session->joining = false;
    session->participant = joined;
    session->conference = live.number();
    session->farewell.reset();
    keep_generation(*session);
    set_standing(*session);
  }
  if (session == nullptr || !session->socket) return submit_fact(live, conference::SessionLost{joined});
  // The peer may have come up while the join was on its way to the disk.
  const conference::Participant* participant = live.ledger.written().find(joined);
  if (participant != nullptr && participant->peer_connected != session->peer_connected)
    set_peer(*session, session->peer_life, session->peer_connected);
  v1::ServerMessage answer;
  answer.set_reply_to(*session->socket == pending.socket ? pending.reply_to : 0);
  answer.mutable_joined()->set_participant_id(conference::to_text(joined));
  *answer.mutable_joined()->mutable_state() =
      to_wire(live.ledger.written(), joined, clock_.wall(), link_of(live.number()));
  send(*session, answer);
}

void ConferenceHost::finish_refused(LiveConference& live, const Pending& pending,
                                    const conference::Refusal& refusal) {
  if (pending.kind == Pending::Kind::Fact) {
    const bool lost = refusal.code == v1::REFUSAL_CODE_STORE_UNAVAILABLE;
    if (lost && pending.fact && live.retry.size() < kMaxFactsKept) live.retry.push_back(*pending.fact);
    return;
  }
  Session* session = find_session(pending.session);
  if (pending.kind == Pending::Kind::Join) {
    if (!pending.may_know && tells_of_conference(refusal.code)) return veil(pending);
    metrics_.add(Metric::JoinsRefused);
    if (session != nullptr) {
      session->joining = false;
      if (!session->is_in()) session->conference.clear();
    }
  } else {
    metrics_.add(Metric::CommandsRefused);
  }
  const auto socket = sockets_.find(pending.socket);
  if (socket != sockets_.end())
    refuse(*socket->second, pending.reply_to, refusal.code, refusal.detail, pending.command_id);
}

void ConferenceHost::tell_change(LiveConference& live, const conference::Change& change,
                                 const SessionId& except) {
  const conference::Info& info = live.state().info;
  auto text_for = [&](const conference::Change& seen) {
    v1::ServerMessage message;
    *message.mutable_change() = to_wire(seen, info, link_of(info.number));
    return std::make_shared<const std::string>(write_server_message(message));
  };
  const bool by_viewer = is_private(change);
  const SharedText shared = by_viewer ? nullptr : text_for(change);
  for (const auto& [id, session_id] : live.members) {
    if (session_id == except) continue;
    const Session* session = find_session(session_id);
    const bool gone = std::ranges::any_of(change.gone, [&](const conference::Gone& g) { return g.id == id; });
    if (session == nullptr || !session->socket || gone) continue;
    sockets_port_->send(*session->socket, by_viewer ? text_for(conference::seen_by(change, id)) : shared);
  }
}

void ConferenceHost::let_gone_go(LiveConference& live, const conference::Change& change) {
  for (const conference::Gone& gone : change.gone) {
    live.away.erase(gone.id);
    const auto member = live.members.find(gone.id);
    if (member == live.members.end()) continue;
    Session* session = find_session(member->second);
    journal_.forget_generation(member->second);
    live.members.erase(member);
    if (session == nullptr || session->participant != gone.id) continue;
    session->participant = {};
    session->conference.clear();
    session->view.reset();
    set_standing(*session);
    session->farewell = {live.number(), gone.reason};
    say_farewell(*session);
    // Whoever comes back late goes in again by himself; nobody is to be told that he is out.
    if (gone.reason == v1::LEAVE_REASON_NETWORK) session->farewell.reset();
  }
}

void ConferenceHost::send_state(Session& session, const LiveConference& live) {
  v1::ServerMessage message;
  *message.mutable_state() =
      to_wire(live.ledger.written(), session.participant, clock_.wall(), link_of(live.number()));
  send(session, message);
}

void ConferenceHost::watch_absences(LiveConference& live, core::Instant now) {
  std::deque<conference::Operation> facts;
  facts.swap(live.retry);
  std::erase_if(live.away, [&](const auto& entry) {
    const conference::Participant* participant = live.ledger.written().find(entry.first);
    return participant == nullptr || participant->connection != v1::CONNECTION_STATE_RECONNECTING;
  });
  for (const auto& [id, participant] : live.state().participants) {
    if (participant.connection != v1::CONNECTION_STATE_RECONNECTING) continue;
    core::Instant& since = live.away.try_emplace(id, now).first->second;
    const auto member = live.members.find(id);
    const Session* session = member == live.members.end() ? nullptr : find_session(member->second);
    if (session != nullptr && session->socket) continue;
    if (now - since < config_.resume_window) continue;
    since = now;
    if (participant.role == v1::ROLE_CHAIR) facts.push_back(conference::ChairAwayTooLong{});
    facts.push_back(conference::LostTooLong{id});
  }
  if (!live.state().participants.empty() || live.state().info.ended) {
    live.empty.reset();
  } else if (!live.empty) {
    live.empty = now;
  } else if (now - *live.empty >= config_.empty_time) {
    live.empty = now;
    facts.push_back(conference::EmptyTooLong{});
  }
  for (conference::Operation& fact : facts) submit_fact(live, std::move(fact));
}

}  // namespace huitang::api
