#include "bot/participant.h"

#include <algorithm>
#include <utility>

namespace huitang::bot {

namespace {

constexpr uint32_t kProtocol = 1;
constexpr core::Duration kRetry = core::Duration::seconds(2);
constexpr core::Duration kLeaveTime = core::Duration::seconds(1);

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

/// Passing troubles of the server, worth another try.
bool is_passing(v1::RefusalCode code) {
  return code == v1::REFUSAL_CODE_MEDIA_UNAVAILABLE || code == v1::REFUSAL_CODE_TOO_MANY_REQUESTS ||
         code == v1::REFUSAL_CODE_STORE_UNAVAILABLE;
}

std::optional<core::Instant> earlier(std::optional<core::Instant> a, std::optional<core::Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

Participant::Participant(core::Instant, ParticipantConfig config, const BotServices& services)
    : config_(std::move(config)), services_(services) {}

// --- socket ---

void Participant::handle_socket_open(core::Instant) {
  if (is_done()) return;
  phase_ = Phase::Greeting;
  v1::ClientMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol(kProtocol);
  hello.set_language("zh-CN");
  hello.set_resume_token(resume_token_);
  hello.set_client("huitang bot");
  send(std::move(message));
}

void Participant::handle_socket_closed(core::Instant now) {
  messages_.clear();
  retry_at_.reset();
  if (phase_ == Phase::Leaving) finish(now);
  if (!is_done()) phase_ = Phase::Away;
}

void Participant::handle_message(core::Instant now, const v1::ServerMessage& message) {
  switch (message.body_case()) {
    case v1::ServerMessage::kWelcome: return handle_welcome(now, message.welcome());
    case v1::ServerMessage::kAnswer: return handle_answer(now, message.answer());
    case v1::ServerMessage::kJoined: return handle_joined(message.joined());
    case v1::ServerMessage::kRefused: return handle_refused(now, message.refused());
    case v1::ServerMessage::kState: return handle_state(message.state());
    case v1::ServerMessage::kChange: return handle_change(message.change());
    case v1::ServerMessage::kPeerChanged: return handle_peer_changed(now, message.peer_changed());
    case v1::ServerMessage::kSourceDemand: return handle_source_demand(message.source_demand());
    case v1::ServerMessage::kLeft: report(LeftReport{message.left().reason()}); return finish(now);
    case v1::ServerMessage::kCommandDone:
      if (phase_ == Phase::Leaving) finish(now);
      return;
    case v1::ServerMessage::kSpeakers:
    case v1::ServerMessage::kPong:
    case v1::ServerMessage::kViewDone:
    case v1::ServerMessage::kNotice:
    case v1::ServerMessage::kPausedPictures:
    case v1::ServerMessage::BODY_NOT_SET: return;
  }
}

void Participant::handle_welcome(core::Instant now, const v1::Welcome& welcome) {
  resume_token_ = welcome.resume_token();
  if (welcome.slots().audio() != 0) {
    config_.media.shape.audio_slots = welcome.slots().audio();
    config_.media.shape.video_slots = welcome.slots().video();
    config_.media.shape.share_slots = welcome.slots().share();
  }
  if (welcome.resumed() && peer_) {
    phase_ = is_in_ ? Phase::In : Phase::Joining;
    if (is_in_) {
      v1::ClientMessage resync;
      resync.mutable_resync();
      send(std::move(resync));
    } else {
      send_join();
    }
    return;
  }
  is_in_ = false;
  make_peer(now);
}

void Participant::make_peer(core::Instant now) {
  const bool is_replacement = peer_ != nullptr;
  peer_ = std::make_unique<BotPeer>(now, config_.media, services_);
  last_view_.clear();
  send_offer(is_replacement);
}

void Participant::send_offer(bool new_peer) {
  if (!is_in_) phase_ = Phase::Offering;
  v1::ClientMessage message;
  v1::Offer& offer = *message.mutable_offer();
  offer.set_sdp(peer_->offer());
  offer.set_new_peer(new_peer);
  offer.set_number(config_.number);
  for (const sdp::OfferedLine& line : peer_->lines()) {
    v1::Line& out = *offer.add_lines();
    out.set_mid(line.mid);
    out.set_use(static_cast<v1::LineUse>(line.use));  // the same numbers, sdp/offer.h
    out.set_index(line.index);
  }
  send(std::move(message));
}

void Participant::handle_answer(core::Instant now, const v1::Answer& answer) {
  if (!peer_) return;
  const auto accepted = peer_->handle_answer(now, answer.sdp());
  if (!accepted) {
    report(MediaReport{false, accepted.error()});
    return;
  }
  drain_peer(now);
  if (is_in_) {
    send_view_if_changed();
  } else {
    send_join();
  }
}

void Participant::send_join() {
  phase_ = Phase::Joining;
  v1::ClientMessage message;
  v1::Join& join = *message.mutable_join();
  join.set_number(config_.number);
  join.set_name(config_.media.name);
  join.set_invite(config_.invite);
  join.set_microphone_on(!config_.media.receive_only);
  join.set_camera_on(!config_.media.receive_only);
  send(std::move(message));
}

void Participant::handle_joined(const v1::Joined& joined) {
  phase_ = Phase::In;
  is_in_ = true;
  own_id_ = joined.participant_id();
  report(JoinedReport{own_id_});
  handle_state(joined.state());
}

void Participant::handle_refused(core::Instant now, const v1::Refused& refused) {
  report(RefusedReport{refused.code(), refused.detail()});
  if (phase_ == Phase::Leaving) finish(now);
  if (phase_ != Phase::Offering && phase_ != Phase::Joining) return;
  if (!is_passing(refused.code())) return finish(now);
  const auto wait = core::Duration::seconds(refused.retry_after_seconds());
  retry_at_ = now + std::max(wait, kRetry);
}

void Participant::handle_peer_changed(core::Instant now, const v1::PeerChanged& changed) {
  if (changed.please_reconnect() && phase_ != Phase::Leaving) make_peer(now);
}

void Participant::handle_source_demand(const v1::SourceDemand& demand) {
  if (peer_ && demand.kind() == v1::SOURCE_KIND_CAMERA) peer_->set_camera_demand(demand.layers());
}

// --- conference ---

void Participant::handle_state(const v1::State& state) {
  state_number_ = state.number();
  participants_.clear();
  for (const v1::Participant& p : state.participants()) participants_[p.id()] = p;
  send_view_if_changed();
}

void Participant::handle_change(const v1::Change& change) {
  if (change.number() <= state_number_) return;
  if (change.number() != state_number_ + 1) {
    v1::ClientMessage resync;
    resync.mutable_resync();
    send(std::move(resync));
    return;
  }
  state_number_ = change.number();
  for (const v1::Participant& p : change.participants()) participants_[p.id()] = p;
  for (const std::string& id : change.gone()) participants_.erase(id);
  send_view_if_changed();
}

void Participant::send_view_if_changed() {
  if (!config_.watches || !is_in_) return;
  std::vector<const v1::Participant*> others;
  for (const auto& [id, p] : participants_) {
    if (id != own_id_ && p.connection() != v1::CONNECTION_STATE_LEFT) others.push_back(&p);
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const auto* a, const auto* b) { return a->joined_unix_ms() < b->joined_unix_ms(); });
  v1::ClientMessage message;
  v1::SetView& view = *message.mutable_set_view();
  uint32_t cameras = 0;
  uint32_t shares = 0;
  const auto show = [&](v1::LineUse use, uint32_t index, uint32_t source) {
    v1::SlotView& slot = *view.add_slots();
    slot.set_use(use);
    slot.set_index(index);
    slot.set_source(source);
    slot.set_width(640);
    slot.set_height(360);
  };
  for (const v1::Participant* p : others) {
    for (const v1::Source& source : p->sources()) {
      if (!source.active()) continue;
      if (source.kind() == v1::SOURCE_KIND_CAMERA && cameras < config_.media.shape.video_slots) {
        show(v1::LINE_USE_VIDEO_SLOT, cameras++, source.number());
      }
      if (source.kind() == v1::SOURCE_KIND_SCREEN && shares < config_.media.shape.share_slots) {
        show(v1::LINE_USE_SHARE_SLOT, shares++, source.number());
      }
    }
  }
  std::string text = view.SerializeAsString();
  if (text == last_view_) return;
  last_view_ = std::move(text);
  send(std::move(message));
}

std::string Participant::name_of_source(uint32_t source) const {
  for (const auto& [id, p] : participants_) {
    for (const v1::Source& s : p.sources()) {
      if (s.number() == source) return p.name();
    }
  }
  return {};
}

// --- media and time ---

void Participant::handle_datagram(core::Instant now, const core::SocketAddress& from,
                                  core::MutableBytes datagram) {
  if (!peer_) return;
  peer_->handle_datagram(now, from, datagram);
  drain_peer(now);
}

void Participant::handle_deadline(core::Instant now) {
  if (peer_) {
    peer_->handle_deadline(now);
    drain_peer(now);
  }
  if (give_up_at_ && *give_up_at_ <= now && !is_done()) finish(now);
  if (retry_at_ && *retry_at_ <= now) {
    retry_at_.reset();
    if (phase_ == Phase::Offering) send_offer(false);
    if (phase_ == Phase::Joining) send_join();
  }
}

void Participant::drain_peer(core::Instant now) {
  bool is_lost = false;
  bool is_stale = false;
  while (auto event = peer_->poll_event()) {
    std::visit(Overloaded{[&](const BotConnected& e) {
                            report(MediaReport{true, crypto::to_string(e.profile)});
                          },
                          [&](const BotDisconnected& e) {
                            (e.is_final ? is_lost : is_stale) = true;
                            report(MediaReport{false, e.reason});
                          },
                          [&](const MarkSeen& e) {
                            report(MarkReport{e, name_of_source(e.source)});
                          },
                          [&](const TonesHeard& e) {
                            report(ToneReport{e, name_of_source(e.source)});
                          },
                          [&](const SourceChanged& e) {
                            report(SourceReport{e, name_of_source(e.source)});
                          }},
               *event);
  }
  if (phase_ != Phase::In) return;
  if (is_lost) {
    make_peer(now);
  } else if (is_stale) {
    peer_->restart_ice(now);
    send_offer(false);
  }
}

void Participant::leave(core::Instant now) {
  if (is_done() || phase_ == Phase::Leaving) return;
  if (phase_ != Phase::In) return finish(now);
  phase_ = Phase::Leaving;
  give_up_at_ = now + kLeaveTime;
  v1::ClientMessage message;
  v1::Command& command = *message.mutable_command();
  command.set_command_id("leave-" + own_id_);
  if (config_.ends_conference)
    command.mutable_end();
  else
    command.mutable_leave();
  send(std::move(message));
}

void Participant::finish(core::Instant now) {
  phase_ = Phase::Done;
  retry_at_.reset();
  give_up_at_.reset();
  if (peer_) peer_->close(now);
}

std::optional<core::Instant> Participant::deadline() const {
  auto at = earlier(retry_at_, give_up_at_);
  if (peer_) at = earlier(at, peer_->deadline());
  return at;
}

std::optional<BotSnapshot> Participant::snapshot() const {
  return peer_ ? std::optional(peer_->snapshot()) : std::nullopt;
}

// --- out ---

void Participant::send(v1::ClientMessage message) {
  if (messages_.size() >= kMaxMessages) return;
  message.set_id(next_id_++);
  messages_.push_back(std::move(message));
}

void Participant::report(Report r) {
  if (reports_.size() < kMaxReports) reports_.push_back(std::move(r));
}

std::optional<v1::ClientMessage> Participant::poll_message() {
  if (messages_.empty()) return std::nullopt;
  v1::ClientMessage m = std::move(messages_.front());
  messages_.pop_front();
  return m;
}

std::optional<core::Transmit> Participant::poll_transmit() {
  return peer_ ? peer_->poll_transmit() : std::nullopt;
}

std::optional<Report> Participant::poll_report() {
  if (reports_.empty()) return std::nullopt;
  Report r = std::move(reports_.front());
  reports_.pop_front();
  return r;
}

}  // namespace huitang::bot
