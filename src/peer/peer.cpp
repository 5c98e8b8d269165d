#include "peer/peer.h"

#include <algorithm>

#include "core/check.h"
#include "crypto/system_random.h"
#include "rtp/demux.h"
#include "rtp/rtx.h"

namespace huitang::peer {
namespace {

StateReason reason_of(dtls::FailureReason reason) {
  switch (reason) {
    case dtls::FailureReason::WrongFingerprint: return StateReason::WrongFingerprint;
    case dtls::FailureReason::NoCommonProfile: return StateReason::NoCommonProfile;
    case dtls::FailureReason::Timeout: return StateReason::HandshakeTimeout;
    case dtls::FailureReason::Protocol: return StateReason::HandshakeProtocol;
  }
  return StateReason::HandshakeProtocol;
}

bool is_audio(sdp::Codec codec) { return codec == sdp::Codec::Opus || codec == sdp::Codec::Red; }

uint32_t make_nonzero(core::Random& random) {
  uint32_t v = 0;
  while (v == 0) v = random.u32();
  return v;
}

}  // namespace

/// What one walk over the header extensions finds.
struct Peer::Extensions {
  InboundTable::Hints hints;
  std::optional<rtp::AudioLevel> audio_level;
  std::optional<uint16_t> transport_number;
  std::optional<uint32_t> abs_send_time;

  Extensions(const rtp::PacketView& packet, const rtp::ExtensionIds& ids) {
    rtp::ExtensionReader reader(packet);
    while (const auto element = reader.next()) {
      const core::Bytes value = packet.bytes.subspan(element->offset, element->size);
      if (element->id == ids.mid) hints.mid = core::as_text(value);
      if (element->id == ids.rid) hints.rid = core::as_text(value);
      if (element->id == ids.repaired_rid) hints.repaired_rid = core::as_text(value);
      if (element->id == ids.transport_cc && value.size() == 2)
        transport_number = core::load_u16(value.data());
      if (element->id == ids.abs_send_time && value.size() == 3) abs_send_time = core::load_u24(value.data());
      if (element->id == ids.audio_level && !value.empty()) {
        audio_level = rtp::AudioLevel{(value[0] & 0x80) != 0, static_cast<uint8_t>(value[0] & 0x7f)};
      }
    }
  }
};

Peer::Peer(core::Instant now, PeerId id, PeerConfig config, const PeerServices& services)
    : id_(id),
      config_(std::move(config)),
      services_(services),
      connect_by_(now + config_.connect_timeout),
      ice_(now, config_.ice),
      recorder_({}),
      feedback_ssrc_(make_nonzero(services.random)),
      cname_(crypto::make_token(services.random, 9)),
      session_id_(services.random.u64() >> 2) {
  bwe::TwccRecorder::Config recorder;
  recorder.sender_ssrc = feedback_ssrc_;
  recorder_ = bwe::TwccRecorder(recorder);
}

Peer::~Peer() = default;

// --- offers
// ---------------------------------------------------------------------------------------------------

core::Result<std::string, PeerError> Peer::handle_offer(core::Instant now, std::string_view offer,
                                                        std::span<const Line> lines) {
  if (state_ == PeerState::Failed) {
    ++counters_.refused_offers;
    return core::err(PeerError{PeerErrorCode::Ended, "this peer has ended"});
  }
  auto plan = plan_offer(context(), offer, lines);
  if (!plan) {
    ++counters_.refused_offers;
    return core::err(plan.error());
  }
  commit(now, *plan);
  HUITANG_DCHECK(is_consistent());
  return std::move(plan->answer);
}

OfferContext Peer::context() const {
  OfferContext c;
  c.addresses = config_.addresses;
  c.codecs = config_.codecs;
  c.extensions = config_.extensions;
  c.max_simulcast_layers = config_.max_simulcast_layers;
  c.fingerprint = &services_.identity.fingerprint();
  c.random = &services_.random;
  c.cname = cname_;
  c.session_id = session_id_;
  c.offers = offers_;
  c.feedback_ssrc = feedback_ssrc_;
  c.lines = lines_;
  c.slots = slots_;
  if (offers_ > 0) {
    c.local = &ice_.local();
    c.remote = &remote_credentials_;
    c.remote_fingerprints = remote_fingerprints_;
  }
  return c;
}

void Peer::commit(core::Instant now, OfferPlan& plan) {
  lines_ = std::move(plan.lines);
  sources_ = std::move(plan.sources);
  slots_ = std::move(plan.slots);
  extension_ids_ = plan.extension_ids;
  inbound_.configure(sources_, plan.negotiated.lines);
  remote_credentials_ = std::move(plan.remote);
  remote_fingerprints_ = std::move(plan.remote_fingerprints);
  if (plan.generation) {
    push(FragmentAdded{plan.generation->local.ufrag});
    ice_.add_generation(now, std::move(*plan.generation));
    take_ice_events(now);
  }
  ++offers_;
}

const SourceLine* Peer::find_source(LineUse use) const {
  const auto found =
      std::find_if(sources_.begin(), sources_.end(), [&](const SourceLine& s) { return s.line.use == use; });
  return found == sources_.end() ? nullptr : &*found;
}

const SlotLine* Peer::find_slot(LineUse use, uint32_t index) const {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const SlotLine& s) {
    return s.line.use == use && s.line.index == index;
  });
  return found == slots_.end() ? nullptr : &*found;
}

// --- datagrams
// ------------------------------------------------------------------------------------------------

Received Peer::handle_datagram(core::Instant now, const core::SocketAddress& from,
                               core::MutableBytes datagram) {
  ++counters_.packets_in;
  counters_.bytes_in += datagram.size();
  if (state_ == PeerState::Failed) {
    ++counters_.early;
    return {};
  }
  const rtp::PacketClass kind = rtp::classify(datagram);
  if (kind == rtp::PacketClass::Stun) {
    ice_.handle_datagram(now, from, datagram);
    take_ice_events(now);
    return {};
  }
  if (!ice_.is_validated(from)) {
    ++counters_.unvalidated;
    return {};
  }
  switch (kind) {
    case rtp::PacketClass::Rtp: return handle_rtp(now, datagram);
    case rtp::PacketClass::Rtcp: return handle_rtcp(now, datagram);
    case rtp::PacketClass::Dtls: handle_dtls(now, datagram); return {};
    case rtp::PacketClass::Stun:
    case rtp::PacketClass::Unknown: break;
  }
  ++counters_.unclassified;
  return {};
}

bool Peer::looks_like_picture(core::Bytes datagram) const {
  if (rtp::classify(datagram) != rtp::PacketClass::Rtp) return false;
  const InboundTable::PayloadType& type = inbound_.payload_type(datagram[1] & 0x7f);
  return type.kind != InboundTable::PayloadType::Kind::Unknown && !is_audio(type.codec);
}

Received Peer::handle_rtp(core::Instant now, core::MutableBytes datagram) {
  if (opener_ == nullptr) {
    ++counters_.early;
    return {};
  }
  const auto sealed = rtp::parse_protected_packet(datagram);
  if (!sealed) {
    ++counters_.malformed;
    return {};
  }
  const auto size =
      opener_->open_rtp(datagram, sealed->header_size, sealed->header.ssrc, sealed->header.sequence_number);
  if (!size) {
    ++counters_.not_authentic;
    return {};
  }
  ++counters_.rtp_in;
  return handle_opened_rtp(now, datagram.first(*size), datagram.size());
}

Received Peer::handle_opened_rtp(core::Instant now, core::MutableBytes packet, size_t datagram_size) {
  const auto view = rtp::parse_packet(packet);
  if (!view) {
    ++counters_.malformed;
    return {};
  }
  const Extensions extensions(*view, extension_ids_);
  if (extensions.transport_number) {
    recorder_.handle_packet(now, *extensions.transport_number, view->header.ssrc,
                            core::ByteCount(static_cast<int64_t>(datagram_size)));
  }
  const InboundTable::PayloadType type = inbound_.payload_type(view->header.payload_type);
  const bool is_rtx = type.kind == InboundTable::PayloadType::Kind::Rtx;
  const InboundStream* stream = find_stream(view->header.ssrc, type, extensions.hints);
  if (stream == nullptr) return {};

  ReceivedRtp out;
  out.packet = *view;
  if (is_rtx && !unwrap_retransmission(packet, *stream, type, out.packet)) return {};
  out.source = stream->source;
  out.use = sources_[stream->source].line.use;
  out.layer = stream->layer;
  out.codec = type.codec;
  out.is_retransmission = is_rtx;
  out.audio_level = extensions.audio_level;
  out.transport_number = extensions.transport_number;
  out.abs_send_time = extensions.abs_send_time;
  out.arrived = now;
  return out;
}

// The line that the packet is for, if its codec is one of that line.
const InboundStream* Peer::find_stream(uint32_t ssrc, const InboundTable::PayloadType& type,
                                       const InboundTable::Hints& hints) {
  if (type.kind == InboundTable::PayloadType::Kind::Unknown) {
    ++counters_.unknown_codec;
    return nullptr;
  }
  const bool is_rtx = type.kind == InboundTable::PayloadType::Kind::Rtx;
  const InboundStream* stream = inbound_.find_or_learn(ssrc, is_rtx, hints);
  if (stream == nullptr) {
    ++counters_.unknown_stream;
    return nullptr;
  }
  if (is_audio(type.codec) != (sdp::kind_of(sources_[stream->source].line.use) == sdp::MediaKind::Audio)) {
    ++counters_.unknown_codec;
    return nullptr;
  }
  return stream;
}

bool Peer::unwrap_retransmission(core::MutableBytes packet, const InboundStream& stream,
                                 const InboundTable::PayloadType& type, rtp::PacketView& view) {
  if (view.payload_size == 0) {
    ++counters_.probes_in;
    return false;
  }
  const auto original = inbound_.original_of(stream);
  if (!original) {
    ++counters_.unknown_stream;
    return false;
  }
  const auto unwrapped = rtp::parse_packet(rtp::unwrap_rtx(packet, {type.original, *original}));
  if (!unwrapped) {
    ++counters_.malformed;
    return false;
  }
  view = *unwrapped;
  ++counters_.retransmissions_in;
  return true;
}

Received Peer::handle_rtcp(core::Instant now, core::MutableBytes datagram) {
  if (opener_ == nullptr) {
    ++counters_.early;
    return {};
  }
  const auto size = opener_->open_rtcp(datagram);
  if (!size) {
    ++counters_.not_authentic;
    return {};
  }
  ++counters_.rtcp_in;
  return ReceivedRtcp{datagram.first(*size), now};
}

void Peer::handle_dtls(core::Instant now, core::Bytes datagram) {
  if (dtls_ == nullptr) {
    ++counters_.late_dtls;
    return;
  }
  dtls_->handle_datagram(now, datagram);
  take_dtls_events(now);
}

// --- transport
// ------------------------------------------------------------------------------------------------

void Peer::take_ice_events(core::Instant now) {
  while (auto event = ice_.poll_event()) {
    if (auto* e = std::get_if<ice::LiteAgent::AddressValidated>(&*event)) {
      push(AddressAdded{e->address});
    } else if (auto* f = std::get_if<ice::LiteAgent::AddressForgotten>(&*event)) {
      push(AddressRemoved{f->address});
    } else if (auto* d = std::get_if<ice::LiteAgent::DestinationChanged>(&*event)) {
      push(DestinationChanged{d->address});
    } else if (auto* r = std::get_if<ice::LiteAgent::CredentialsRetired>(&*event)) {
      push(FragmentRetired{std::move(r->ufrag)});
    } else if (auto* s = std::get_if<ice::LiteAgent::StateChanged>(&*event)) {
      follow_ice(now, s->state);
    }
  }
  HUITANG_DCHECK(is_consistent());
}

void Peer::follow_ice(core::Instant now, ice::LiteState state) {
  if (state_ == PeerState::Failed) return;
  switch (state) {
    case ice::LiteState::New: return;
    case ice::LiteState::Disconnected: return enter(PeerState::Disconnected, StateReason::ConsentLost);
    case ice::LiteState::Connected:
      start_dtls(now);
      handshake_by_ = now + config_.handshake_timeout;
      return enter(sealer_ ? PeerState::Connected : PeerState::Connecting, StateReason::None);
  }
}

// Not before the client is reachable: the time limit of the handshake shall measure the handshake.
void Peer::start_dtls(core::Instant now) {
  if (dtls_ != nullptr || sealer_ != nullptr) return;
  dtls::Config config;
  config.role = dtls::Role::Server;
  config.remote_fingerprints = remote_fingerprints_;
  config.profiles = config_.srtp_profiles;
  dtls_ = std::make_unique<dtls::Endpoint>(now, services_.identity, std::move(config));
  dtls_->start(now);
}

void Peer::take_dtls_events(core::Instant now) {
  while (auto event = dtls_->poll_event()) {
    if (const auto* keys = std::get_if<dtls::Connected>(&*event)) {
      install_keys(now, *keys);
    } else if (std::holds_alternative<dtls::Closed>(*event)) {
      if (state_ != PeerState::Failed) enter(PeerState::Failed, StateReason::ClosedByClient);
    } else if (auto* failed = std::get_if<dtls::Failed>(&*event)) {
      enter(PeerState::Failed, reason_of(failed->reason), std::move(failed->detail));
    }
  }
  HUITANG_DCHECK(is_consistent());
}

void Peer::install_keys(core::Instant now, const dtls::Connected& keys) {
  keys_since_ = now;
  opener_ = std::make_unique<srtp::Opener>(services_.backend, keys.inbound);
  sealer_ = std::make_unique<srtp::Sealer>(services_.backend, keys.outbound);
  if (ice_.state() == ice::LiteState::Connected) enter(PeerState::Connected, StateReason::None);
}

void Peer::close(core::Instant now) {
  if (state_ == PeerState::Failed) return;
  enter(PeerState::Failed, StateReason::ClosedByNode);
  if (dtls_ == nullptr) return;
  dtls_->close(now);
  take_dtls_events(now);
}

void Peer::handle_deadline(core::Instant now) {
  if (state_ == PeerState::Failed) return;
  if (state_ == PeerState::New && offers_ > 0 && now >= connect_by_) {
    enter(PeerState::Disconnected, StateReason::NeverReached);
  }
  ice_.handle_deadline(now);
  take_ice_events(now);
  if (dtls_ == nullptr || state_ == PeerState::Failed) return;
  dtls_->handle_deadline(now);
  take_dtls_events(now);
  if (state_ == PeerState::Connecting && now >= handshake_by_) {
    enter(PeerState::Failed, StateReason::HandshakeTimeout);
  }
}

std::optional<core::Instant> Peer::deadline() const {
  if (state_ == PeerState::Failed) return std::nullopt;
  std::optional<core::Instant> earliest = ice_.deadline();
  const auto consider = [&](std::optional<core::Instant> at) {
    if (at && (!earliest || *at < *earliest)) earliest = at;
  };
  if (state_ == PeerState::New && offers_ > 0) consider(connect_by_);
  if (state_ == PeerState::Connecting) consider(handshake_by_);
  if (dtls_) consider(dtls_->deadline());
  if (can_send()) consider(recorder_.deadline());
  return earliest;
}

std::optional<core::Transmit> Peer::poll_transmit() {
  auto transmit = ice_.poll_transmit();
  if (!transmit && dtls_ && destination()) {
    if (auto flight = dtls_->poll_transmit()) transmit = core::Transmit{*destination(), std::move(*flight)};
  }
  if (transmit) count_sent(1, transmit->bytes.size());
  return transmit;
}

std::optional<Event> Peer::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

// --- sending
// --------------------------------------------------------------------------------------------------

size_t Peer::poll_feedback(core::Instant now, core::MutableBytes out) {
  if (!can_send()) return 0;
  const size_t room = std::min(out.size() - std::min(out.size(), srtp::kMaxRtcpOverhead),
                               bwe::TwccRecorder::kMaxFeedbackSize);
  const size_t size = recorder_.poll_feedback(now, out.first(room));
  return size == 0 ? 0 : seal_rtcp(out.first(size), out);
}

size_t Peer::seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out) {
  const size_t size = can_send() ? sealer_->seal_rtp(index, header, payload, out) : 0;
  if (size != 0) count_sent(1, size);
  return size;
}

size_t Peer::seal_rtcp(core::Bytes packet, core::MutableBytes out) {
  const size_t size = can_send() ? sealer_->seal_rtcp(packet, out) : 0;
  if (size != 0) count_sent(1, size);
  return size;
}

void Peer::count_sent(uint64_t packets, uint64_t bytes) {
  counters_.packets_out += packets;
  counters_.bytes_out += bytes;
}

// --- state
// ----------------------------------------------------------------------------------------------------

void Peer::enter(PeerState state, StateReason reason, std::string detail) {
  if (state_ == state) return;
  state_ = state;
  reason_ = reason;
  push(StateChanged{state, reason, std::move(detail)});
}

void Peer::push(Event event) {
  if (events_.size() == kMaxEvents) {
    ++counters_.dropped_events;
    return;
  }
  events_.push_back(std::move(event));
}

Peer::Snapshot Peer::snapshot() const {
  Snapshot s;
  s.id = id_;
  s.state = state_;
  s.reason = reason_;
  s.offers = offers_;
  s.destination = destination();
  if (sealer_) s.srtp_profile = sealer_->profile();
  s.lines = lines_;
  s.streams.assign(inbound_.streams().begin(), inbound_.streams().end());
  s.counters = counters_;
  s.ice = ice_.snapshot();
  if (dtls_) s.dtls = dtls_->snapshot();
  if (opener_) s.srtp = opener_->counters();
  s.feedback = recorder_.snapshot();
  return s;
}

bool Peer::is_consistent() const {
  const bool has_keys = opener_ != nullptr && sealer_ != nullptr;
  if (lines_.size() != sources_.size() + slots_.size() || lines_.size() > kMaxLines) return false;
  if (events_.size() > kMaxEvents || (opener_ != nullptr) != (sealer_ != nullptr)) return false;
  switch (state_) {
    case PeerState::New: return dtls_ == nullptr && !destination();
    case PeerState::Connecting: return dtls_ != nullptr && destination() && !has_keys;
    case PeerState::Connected: return has_keys && destination();
    case PeerState::Disconnected: return !destination();
    case PeerState::Failed: return true;
  }
  return false;
}

}  // namespace huitang::peer
