#include "ice/full_agent.h"

#include <algorithm>

#include "core/check.h"

namespace huitang::ice {
namespace {

constexpr size_t kMaxCheckSize = 640;  // user names of 2 x 256 bytes and the fixed attributes
// RFC 8445 section 5.1.2.1 with the type preference of a peer-reflexive candidate (110), as section 7.1.1
// asks.
constexpr uint32_t kPeerReflexivePriority = 110u << 24 | 65535u << 8 | 255u;

}  // namespace

FullAgent::FullAgent(core::Instant, core::Random& random, const FullConfig& config)
    : random_(random), config_(config), tie_breaker_(random.u64()), local_(make_credentials(random)) {}

const Credentials& FullAgent::restart(core::Instant) {
  local_ = make_credentials(random_);
  return local_;
}

void FullAgent::start(core::Instant now, Remote remote) {
  checking_ = {local_, std::move(remote.credentials)};
  pairs_.clear();
  auto& candidates = remote.candidates;
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const RemoteCandidate& a, const RemoteCandidate& b) { return a.priority > b.priority; });
  for (const RemoteCandidate& c : candidates) {
    const bool is_known =
        std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& p) { return p.remote == c.address; });
    if (is_known || pairs_.size() == kMaxPairs) continue;
    Pair pair;
    pair.remote = c.address;
    pair.priority = c.priority;
    pairs_.push_back(pair);
  }
  is_nominated_ = false;
  nominate_at_.reset();
  next_start_ = now;
  if (!destination_) enter(FullState::Checking);
  fail_if_exhausted();
  handle_deadline(now);
}

void FullAgent::handle_datagram(core::Instant now, const core::SocketAddress& from, core::Bytes datagram) {
  const auto message = stun::MessageView::parse(datagram);
  const bool is_answer = message && (message->message_class == stun::MessageClass::SuccessResponse ||
                                     message->message_class == stun::MessageClass::ErrorResponse);
  if (!is_answer || message->method != stun::kBindingMethod) {
    ++counters_.dropped_in;
    return;
  }
  if (handle_consent_answer(now, from, *message)) return;
  const auto pair = std::find_if(pairs_.begin(), pairs_.end(), [&](const Pair& p) {
    return p.state == PairState::InProgress && p.transaction == message->transaction;
  });
  // An answer from another address than the one asked is no answer (RFC 8445 section 7.2.5.2.1).
  if (pair == pairs_.end() || pair->remote != from ||
      message->check_integrity(core::as_bytes(checking_.remote.password)) != stun::Integrity::Right) {
    ++counters_.dropped_in;
    return;
  }
  handle_pair_answer(now, *pair, *message);
  HUITANG_DCHECK(is_consistent());
}

void FullAgent::handle_pair_answer(core::Instant now, Pair& pair, const stun::MessageView& answer) {
  if (answer.message_class == stun::MessageClass::ErrorResponse) {
    ++counters_.errors_received;
    pair.state = PairState::Failed;
    fail_if_exhausted();
    return;
  }
  ++counters_.answers;
  if (pair.sends == 1) round_trip_ = now - pair.first_sent;
  if (answer.xor_mapped_address) mapped_address_ = answer.xor_mapped_address;
  pair.state = PairState::Succeeded;
  if (pair.is_nominating) return handle_nominated(now, pair);
  if (!nominate_at_) nominate_at_ = now + config_.nomination_delay;
  nominate_if_due(now);
}

bool FullAgent::handle_consent_answer(core::Instant now, const core::SocketAddress& from,
                                      const stun::MessageView& answer) {
  const auto check = std::find_if(consent_checks_.begin(), consent_checks_.end(), [&](const ConsentCheck& c) {
    return c.is_open && c.transaction == answer.transaction;
  });
  if (check == consent_checks_.end()) return false;
  if (from != destination_ ||
      answer.check_integrity(core::as_bytes(in_use_.remote.password)) != stun::Integrity::Right) {
    ++counters_.dropped_in;
    return true;
  }
  check->is_open = false;
  if (answer.message_class == stun::MessageClass::ErrorResponse) {
    ++counters_.errors_received;
    return true;
  }
  ++counters_.answers;
  round_trip_ = now - check->sent;
  if (answer.xor_mapped_address) mapped_address_ = answer.xor_mapped_address;
  consent_ends_ = now + config_.consent_timeout;
  next_consent_ = now + randomised(config_.consent_interval);
  return true;
}

void FullAgent::handle_nominated(core::Instant now, const Pair& pair) {
  is_nominated_ = true;
  in_use_ = checking_;
  consent_checks_ = {};
  consent_ends_ = now + config_.consent_timeout;
  next_consent_ = now + randomised(config_.consent_interval);
  const bool is_new = destination_ != pair.remote;
  destination_ = pair.remote;
  if (is_new) push(DestinationChanged{pair.remote});
  enter(FullState::Connected);
}

void FullAgent::handle_deadline(core::Instant now) {
  if (destination_ && now >= consent_ends_) {
    destination_.reset();
    enter(!is_nominated_ && !pairs_.empty() ? FullState::Checking : FullState::Disconnected);
  }
  if (destination_ && now >= next_consent_) send_consent(now);
  if (!is_nominated_) {
    nominate_if_due(now);
    retransmit_pairs(now);
    start_waiting_pair(now);
    fail_if_exhausted();
  }
  HUITANG_DCHECK(is_consistent());
}

void FullAgent::start_waiting_pair(core::Instant now) {
  if (now < next_start_) return;
  const auto pair =
      std::find_if(pairs_.begin(), pairs_.end(), [](const Pair& p) { return p.state == PairState::Waiting; });
  if (pair == pairs_.end()) return;
  next_start_ = now + config_.pace;
  begin_transaction(now, *pair);
}

void FullAgent::begin_transaction(core::Instant now, Pair& pair) {
  pair.state = PairState::InProgress;
  pair.transaction = make_transaction();
  pair.sends = 0;
  pair.rto = config_.initial_rto;
  pair.first_sent = now;
  send_pair(now, pair);
}

void FullAgent::send_pair(core::Instant now, Pair& pair) {
  send_check(pair.remote, checking_, pair.transaction, pair.is_nominating);
  ++pair.sends;
  if (pair.sends > 1) ++counters_.retransmissions;
  const bool is_last = pair.sends >= config_.max_sends;
  pair.next_send = now + (is_last ? config_.initial_rto * config_.last_wait : pair.rto);
  pair.rto = pair.rto * 2;
}

void FullAgent::retransmit_pairs(core::Instant now) {
  for (Pair& pair : pairs_) {
    if (pair.state != PairState::InProgress || now < pair.next_send) continue;
    if (pair.sends < config_.max_sends) {
      send_pair(now, pair);
    } else {
      pair.state = PairState::Failed;
    }
  }
}

// Regular nomination (RFC 8445 section 8.1.1): the best pair that works, once no better one can still answer
// or `nomination_delay` is over. A nomination that fails leaves the next best pair.
void FullAgent::nominate_if_due(core::Instant now) {
  if (is_nominated_ || std::any_of(pairs_.begin(), pairs_.end(), [](const Pair& p) {
        return p.is_nominating && p.state == PairState::InProgress;
      })) {
    return;
  }
  Pair* best = best_succeeded();
  if (best == nullptr || !is_nomination_due(now, *best)) return;
  best->is_nominating = true;
  begin_transaction(now, *best);
}

bool FullAgent::is_nomination_due(core::Instant now, const Pair& best) const {
  if (nominate_at_ && now >= *nominate_at_) return true;
  return std::none_of(pairs_.begin(), pairs_.end(), [&](const Pair& p) {
    return p.priority > best.priority && (p.state == PairState::Waiting || p.state == PairState::InProgress);
  });
}

FullAgent::Pair* FullAgent::best_succeeded() {
  // pairs_ is sorted by priority.
  const auto pair = std::find_if(pairs_.begin(), pairs_.end(),
                                 [](const Pair& p) { return p.state == PairState::Succeeded; });
  return pair == pairs_.end() ? nullptr : &*pair;
}

void FullAgent::fail_if_exhausted() {
  const bool is_over =
      std::all_of(pairs_.begin(), pairs_.end(), [](const Pair& p) { return p.state == PairState::Failed; });
  if (is_over && state_ == FullState::Checking) enter(FullState::Failed);
}

// Consent checks are not retransmitted (RFC 7675 section 5.1), but while one is unanswered the next, with an
// id of its own, follows sooner: six lost pairs in a row are no rarity at 30 % loss, thirty are. They repeat
// the nomination, so that a lite peer that sees us at a new address after a NAT changed its mind follows at
// once.
void FullAgent::send_consent(core::Instant now) {
  ConsentCheck& check = consent_checks_[next_consent_slot_];
  next_consent_slot_ = (next_consent_slot_ + 1) % kConsentMemory;
  check = {make_transaction(), now, true};
  send_check(*destination_, in_use_, check.transaction, true);
  next_consent_ = now + randomised(config_.consent_retry);
}

void FullAgent::send_check(const core::SocketAddress& to, const Session& session,
                           const stun::TransactionId& transaction, bool use_candidate) {
  std::array<uint8_t, kMaxCheckSize> out;
  stun::MessageWriter writer(out, {stun::MessageClass::Request, transaction});
  writer.username(session.remote.ufrag, session.local.ufrag);
  writer.priority(kPeerReflexivePriority);
  writer.ice_controlling(tie_breaker_);
  if (use_candidate) writer.use_candidate();
  const core::Bytes bytes = writer.finish(core::as_bytes(session.remote.password));
  if (bytes.empty() || transmits_.size() == kMaxTransmits) {
    ++counters_.dropped_transmits;
    return;
  }
  ++counters_.checks_sent;
  transmits_.push_back({to, core::Buffer(bytes.begin(), bytes.end())});
}

core::Duration FullAgent::randomised(core::Duration interval) {
  return interval * (800 + random_.below(401)) / 1000;
}

stun::TransactionId FullAgent::make_transaction() {
  stun::TransactionId id;
  random_.fill(id);
  return id;
}

std::optional<core::Transmit> FullAgent::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  core::Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<FullAgent::Event> FullAgent::poll_event() {
  if (events_.empty()) return std::nullopt;
  const Event event = events_.front();
  events_.pop_front();
  return event;
}

std::optional<core::Instant> FullAgent::deadline() const {
  std::optional<core::Instant> earliest;
  const auto consider = [&](core::Instant at) {
    if (!earliest || at < *earliest) earliest = at;
  };
  if (destination_) {
    consider(next_consent_);
    consider(consent_ends_);
  }
  if (is_nominated_) return earliest;
  bool is_nominating = false;
  bool has_succeeded = false;
  for (const Pair& pair : pairs_) {
    if (pair.state == PairState::InProgress) consider(pair.next_send);
    if (pair.state == PairState::Waiting) consider(next_start_);
    is_nominating = is_nominating || (pair.is_nominating && pair.state == PairState::InProgress);
    has_succeeded = has_succeeded || pair.state == PairState::Succeeded;
  }
  if (nominate_at_ && has_succeeded && !is_nominating) consider(*nominate_at_);
  return earliest;
}

bool FullAgent::is_validated(const core::SocketAddress& address) const {
  return destination_ == address || std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& p) {
           return p.remote == address &&
                  (p.state == PairState::Succeeded || (p.is_nominating && p.state == PairState::InProgress));
         });
}

FullAgent::Snapshot FullAgent::snapshot() const {
  Snapshot s;
  s.state = state_;
  s.destination = destination_;
  s.mapped_address = mapped_address_;
  s.pairs = pairs_.size();
  s.pairs_failed = static_cast<size_t>(std::count_if(
      pairs_.begin(), pairs_.end(), [](const Pair& p) { return p.state == PairState::Failed; }));
  s.round_trip = round_trip_;
  s.counters = counters_;
  return s;
}

bool FullAgent::is_consistent() const {
  return pairs_.size() <= kMaxPairs && transmits_.size() <= kMaxTransmits && events_.size() <= kMaxEvents &&
         destination_.has_value() == (state_ == FullState::Connected);
}

void FullAgent::enter(FullState state) {
  if (state_ == state) return;
  state_ = state;
  push(StateChanged{state});
}

void FullAgent::push(Event event) {
  // Two events an input at most, and they are polled between inputs; the cap is for a caller that never
  // polls.
  if (events_.size() == kMaxEvents) events_.pop_front();
  events_.push_back(event);
}

}  // namespace huitang::ice
