#include "ice/lite_agent.h"

#include <algorithm>

#include "core/check.h"

namespace huitang::ice {
namespace {

constexpr size_t kMaxAnswerSize =
    160;  // header 20, XOR-MAPPED-ADDRESS 24 or error and list, integrity 24, CRC 8

}  // namespace

LiteAgent::LiteAgent(core::Instant, const LiteConfig& config) : config_(config) {}

void LiteAgent::add_generation(core::Instant, Generation generation) {
  generations_.push_back(std::move(generation));
  if (generations_.size() > 2) {
    push(CredentialsRetired{generations_.front().local.ufrag});
    generations_.pop_front();
  }
  HUITANG_DCHECK(is_consistent());
}

// RFC 8445 section 7.3: what a lite agent does with a check.
void LiteAgent::handle_datagram(core::Instant now, const core::SocketAddress& from, core::Bytes datagram) {
  const auto request = stun::MessageView::parse(datagram);
  if (!request) {
    ++counters_.malformed;
    return;
  }
  if (request->message_class != stun::MessageClass::Request || request->method != stun::kBindingMethod) {
    ++counters_.ignored;
    return;
  }
  const Generation* generation = request->username ? find_generation(*request->username) : nullptr;
  if (generation == nullptr) {
    ++counters_.unknown_user;
    return;
  }
  if (request->check_integrity(core::as_bytes(generation->local.password)) != stun::Integrity::Right) {
    ++counters_.wrong_integrity;
    return;
  }
  if (is_repeated(from, request->transaction)) {
    ++counters_.repeated;
    return;
  }
  if (!request->unknown_required().empty()) {
    return answer_error(from, *request, *generation, {stun::kUnknownAttribute, "Unknown Attribute"});
  }
  // A lite agent is always the controlled one (section 6.1.1), so the other side has to give way.
  if (request->ice_controlled) {
    return answer_error(from, *request, *generation, {stun::kRoleConflict, "Role Conflict"});
  }
  if (!request->priority)
    return answer_error(from, *request, *generation, {stun::kBadRequest, "Bad Request"});

  ++counters_.checks;
  answer(from, *request, *generation);
  retire_before(*generation);
  Address& address = remember(now, from);
  address.is_nominated = address.is_nominated || request->use_candidate;
  choose_destination(now, address, request->use_candidate);
  enter(LiteState::Connected);
  HUITANG_DCHECK(is_consistent());
}

void LiteAgent::handle_deadline(core::Instant now) {
  for (size_t i = address_count_; i-- > 0;) {
    if (now - addresses_[i].last_check >= config_.consent_timeout) forget(i);
  }
  if (address_count_ == 0 && state_ == LiteState::Connected) {
    destination_.reset();
    enter(LiteState::Disconnected);
  } else if (destination_ && !is_validated(*destination_)) {
    const auto freshest =
        std::max_element(addresses_.begin(), addresses_.begin() + address_count_,
                         [](const Address& a, const Address& b) { return a.last_check < b.last_check; });
    set_destination(freshest->address);
  }
  HUITANG_DCHECK(is_consistent());
}

std::optional<core::Transmit> LiteAgent::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  core::Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<LiteAgent::Event> LiteAgent::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<core::Instant> LiteAgent::deadline() const {
  std::optional<core::Instant> earliest;
  for (size_t i = 0; i < address_count_; ++i) {
    const core::Instant ends = addresses_[i].last_check + config_.consent_timeout;
    if (!earliest || ends < *earliest) earliest = ends;
  }
  return earliest;
}

bool LiteAgent::is_validated(const core::SocketAddress& address) const {
  for (size_t i = 0; i < address_count_; ++i) {
    if (addresses_[i].address == address) return true;
  }
  return false;
}

LiteAgent::Snapshot LiteAgent::snapshot() const {
  Snapshot s;
  s.state = state_;
  for (size_t i = 0; i < address_count_; ++i) {
    s.addresses.push_back({addresses_[i].address, addresses_[i].last_check, addresses_[i].is_nominated});
  }
  s.destination = destination_;
  if (has_generation()) s.ufrag = local().ufrag;
  s.is_restarting = generations_.size() > 1;
  s.counters = counters_;
  return s;
}

LiteAgentState LiteAgent::export_state() const {
  LiteAgentState s{state_, {generations_.begin(), generations_.end()}, {}, destination_, counters_};
  s.addresses.assign(addresses_.begin(), addresses_.begin() + address_count_);
  return s;
}

bool LiteAgent::restore(LiteAgentState state) {
  if (state.generations.size() > 2 || state.addresses.size() > kMaxAddresses) return false;
  const auto is_usable = [](const Generation& g) {
    return is_well_formed(g.local) && !g.remote_ufrag.empty();
  };
  if (!std::ranges::all_of(state.generations, is_usable)) return false;
  state_ = state.state;
  generations_.assign(std::make_move_iterator(state.generations.begin()),
                      std::make_move_iterator(state.generations.end()));
  std::ranges::copy(state.addresses, addresses_.begin());
  address_count_ = state.addresses.size();
  destination_ = state.destination;
  counters_ = state.counters;
  return is_consistent() && (state_ == LiteState::New || has_generation());
}

bool LiteAgent::is_consistent() const {
  return generations_.size() <= 2 && address_count_ <= kMaxAddresses && transmits_.size() <= kMaxTransmits &&
         events_.size() <= kMaxEvents && (state_ == LiteState::Connected) == (address_count_ > 0) &&
         destination_.has_value() == (state_ == LiteState::Connected) &&
         (!destination_ || is_validated(*destination_));
}

// USERNAME is "fragment of the receiver:fragment of the sender" (RFC 8445 section 7.2.2). Only the first is ours to
// check (section 7.3): the sender's names him towards nobody, and a client that could not tell us yet has another one
// already. What proves him is our password.
const LiteAgent::Generation* LiteAgent::find_generation(std::string_view username) const {
  const size_t colon = username.find(':');
  if (colon == std::string_view::npos) return nullptr;
  for (const Generation& g : generations_) {
    if (username.substr(0, colon) == g.local.ufrag) return &g;
  }
  return nullptr;
}

void LiteAgent::answer(const core::SocketAddress& to, const stun::MessageView& request,
                       const Generation& generation) {
  std::array<uint8_t, kMaxAnswerSize> out;
  stun::MessageWriter writer(out, {stun::MessageClass::SuccessResponse, request.transaction});
  writer.xor_mapped_address(to);
  transmit(to, writer.finish(core::as_bytes(generation.local.password)));
}

void LiteAgent::answer_error(const core::SocketAddress& to, const stun::MessageView& request,
                             const Generation& generation, const stun::ErrorCode& error) {
  std::array<uint8_t, kMaxAnswerSize> out;
  stun::MessageWriter writer(out, {stun::MessageClass::ErrorResponse, request.transaction});
  writer.error_code(error);
  if (error.code == stun::kUnknownAttribute) writer.unknown_attributes(request.unknown_required());
  transmit(to, writer.finish(core::as_bytes(generation.local.password)));
  ++counters_.errors_sent;
}

void LiteAgent::transmit(const core::SocketAddress& to, core::Bytes bytes) {
  HUITANG_DCHECK(!bytes.empty());
  if (transmits_.size() == kMaxTransmits) {
    ++counters_.dropped_transmits;
    return;
  }
  transmits_.push_back({to, core::Buffer(bytes.begin(), bytes.end())});
}

// Nothing in a check says where it was sent from, so one that was heard on its way would prove any address that
// it is sent from again, and draw the media there. A client's own repetition comes from where it came before.
bool LiteAgent::is_repeated(const core::SocketAddress& from, const stun::TransactionId& transaction) {
  const Remembered now{core::load_u64(transaction.data()), std::hash<core::SocketAddress>()(from)};
  for (const Remembered& r : remembered_) {
    if (r.transaction == now.transaction) return r.from != now.from;
  }
  if (remembered_.size() < kMaxRemembered) {
    remembered_.push_back(now);
    return false;
  }
  remembered_[next_remembered_] = now;
  next_remembered_ = (next_remembered_ + 1) % kMaxRemembered;
  return false;
}

void LiteAgent::retire_before(const Generation& generation) {
  if (&generation != &generations_.back() || generations_.size() == 1) return;
  push(CredentialsRetired{generations_.front().local.ufrag});
  generations_.pop_front();
}

LiteAgent::Address& LiteAgent::remember(core::Instant now, const core::SocketAddress& address) {
  for (size_t i = 0; i < address_count_; ++i) {
    if (addresses_[i].address == address) {
      addresses_[i].last_check = now;
      return addresses_[i];
    }
  }
  if (address_count_ == kMaxAddresses) {
    size_t oldest = kMaxAddresses;
    for (size_t i = 0; i < kMaxAddresses; ++i) {
      if (addresses_[i].address == destination_) continue;
      if (oldest == kMaxAddresses || addresses_[i].last_check < addresses_[oldest].last_check) oldest = i;
    }
    forget(oldest);
  }
  push(AddressValidated{address});
  return addresses_[address_count_++] = Address{address, now, false};
}

void LiteAgent::choose_destination(core::Instant now, const Address& checked, bool nominates) {
  if (destination_ == checked.address) return;
  const auto end = addresses_.begin() + address_count_;
  const auto current =
      std::find_if(addresses_.begin(), end, [&](const Address& a) { return a.address == destination_; });
  if (nominates || current == end || now - current->last_check >= config_.silence_before_switch) {
    set_destination(checked.address);
  }
}

void LiteAgent::set_destination(const core::SocketAddress& address) {
  destination_ = address;
  push(DestinationChanged{address});
}

void LiteAgent::forget(size_t index) {
  push(AddressForgotten{addresses_[index].address});
  addresses_[index] = addresses_[--address_count_];
}

void LiteAgent::enter(LiteState state) {
  if (state_ == state) return;
  state_ = state;
  push(StateChanged{state});
}

void LiteAgent::push(Event event) {
  if (events_.size() == kMaxEvents) {
    ++counters_.dropped_events;
    return;
  }
  events_.push_back(std::move(event));
}

}  // namespace huitang::ice
