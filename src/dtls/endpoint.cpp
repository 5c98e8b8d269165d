#include "dtls/endpoint.h"

#include <algorithm>

#include "core/check.h"
#include "dtls/client_hello.h"
#include "dtls/ssl_session.h"

namespace huitang::dtls {

const char* to_string(FailureReason reason) {
  switch (reason) {
    case FailureReason::WrongFingerprint: return "wrong fingerprint";
    case FailureReason::NoCommonProfile: return "no common SRTP profile";
    case FailureReason::Timeout: return "timeout";
    case FailureReason::Protocol: return "protocol";
  }
  return "?";
}

Endpoint::Endpoint(core::Instant, const Identity& identity, Config config)
    : config_(std::move(config)),
      ssl_(std::make_unique<SslSession>(
          identity.context(), SslSession::Config{config_.role == Role::Server, config_.mtu, config_.profiles,
                                                 config_.remote_fingerprints})) {
  if (config_.role == Role::Server) first_flight_ = std::make_unique<ClientHelloAssembler>();
}

Endpoint::~Endpoint() = default;

void Endpoint::start(core::Instant now) {
  if (state_ != State::New || config_.role != Role::Client) return;
  state_ = State::Handshaking;
  give_up_at_ = now + config_.handshake_timeout;
  feed(now, {});
}

void Endpoint::handle_datagram(core::Instant now, core::Bytes datagram) {
  const bool expected =
      state_ == State::Handshaking || state_ == State::Connected || (state_ == State::New && first_flight_);
  if (!expected || !is_dtls(datagram)) {
    ++counters_.dropped_in;
    return;
  }
  ++counters_.datagrams_in;
  if (state_ == State::New) {
    state_ = State::Handshaking;
    give_up_at_ = now + config_.handshake_timeout;
  }
  if (!first_flight_) return feed(now, datagram);
  if (const auto whole = first_flight_->add(datagram)) {
    first_flight_.reset();
    feed(now, *whole);
  }
}

void Endpoint::feed(core::Instant now, core::Bytes datagram) {
  if (state_ == State::Handshaking) {
    switch (ssl_->handshake(datagram)) {
      case SslSession::Step::Waiting: break;
      case SslSession::Step::Done: finish_handshake(); break;
      case SslSession::Step::RemoteClosed:
        fail(FailureReason::Protocol, "closed during the handshake");
        break;
      case SslSession::Step::Failed:
        fail(ssl_->had_wrong_fingerprint() ? FailureReason::WrongFingerprint : FailureReason::Protocol,
             ssl_->error());
        break;
    }
  } else {
    switch (ssl_->read(datagram)) {
      case SslSession::Step::Waiting:
      case SslSession::Step::Done: break;
      case SslSession::Step::RemoteClosed: ssl_->shutdown(); [[fallthrough]];
      case SslSession::Step::Failed: enter(State::Closed, Closed{}); break;
    }
    counters_.application_data = ssl_->application_records();
  }
  settle(now);
}

void Endpoint::finish_handshake() {
  profile_ = ssl_->profile();
  const auto keys = ssl_->export_keys();
  if (!keys || std::ranges::find(config_.profiles, *profile_) == config_.profiles.end()) {
    profile_.reset();
    ssl_->shutdown();
    return fail(FailureReason::NoCommonProfile, "");
  }
  const bool is_server = config_.role == Role::Server;
  enter(State::Connected,
        is_server ? Connected{keys->client, keys->server} : Connected{keys->server, keys->client});
}

void Endpoint::settle(core::Instant now) {
  for (core::Buffer& datagram : ssl_->take_written()) {
    if (transmits_.size() == kMaxTransmits) {
      ++counters_.dropped_out;
      continue;
    }
    transmits_.push_back(std::move(datagram));
  }
  const bool started = ssl_->take_timer_started();
  if (state_ != State::Handshaking || !ssl_->is_timer_running()) {
    retransmit_at_.reset();
  } else if (started) {
    retransmit_at_ = now + ssl_->interval();
  }
  HUITANG_DCHECK(is_consistent());
}

void Endpoint::handle_deadline(core::Instant now) {
  if (state_ != State::Handshaking) return;
  if (now >= give_up_at_) {
    fail(FailureReason::Timeout, "");
    return settle(now);
  }
  if (!retransmit_at_ || now < *retransmit_at_) return;
  retransmit_at_ = now + ssl_->interval();
  ++counters_.retransmissions;
  if (ssl_->retransmit() == SslSession::Step::Failed) fail(FailureReason::Timeout, ssl_->error());
  settle(now);
}

void Endpoint::close(core::Instant now) {
  if (state_ == State::Closed || state_ == State::Failed) return;
  if (state_ == State::Connected) ssl_->shutdown();
  enter(State::Closed, Closed{});
  settle(now);
}

void Endpoint::enter(State state, Event event) {
  state_ = state;
  events_.push_back(std::move(event));
}

void Endpoint::fail(FailureReason reason, std::string detail) {
  enter(State::Failed, Failed{reason, std::move(detail)});
}

std::optional<core::Buffer> Endpoint::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  core::Buffer datagram = std::move(transmits_.front());
  transmits_.pop_front();
  ++counters_.datagrams_out;
  return datagram;
}

std::optional<Event> Endpoint::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<core::Instant> Endpoint::deadline() const {
  if (state_ != State::Handshaking) return std::nullopt;
  return retransmit_at_ ? std::min(*retransmit_at_, give_up_at_) : give_up_at_;
}

Endpoint::Snapshot Endpoint::snapshot() const {
  return {state_, counters_, profile_, first_flight_ ? first_flight_->buffered() : 0};
}

bool Endpoint::is_consistent() const {
  if (transmits_.size() > kMaxTransmits) return false;
  // Connected, then Closed or Failed: never more.
  if (events_.size() > 2) return false;
  if (state_ == State::Connected && !profile_) return false;
  return state_ == State::Handshaking || !retransmit_at_;
}

}  // namespace huitang::dtls
