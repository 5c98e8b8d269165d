#include "bot/client_transport.h"

#include <algorithm>

#include "rtp/demux.h"

namespace huitang::bot {

namespace {

sdp::Fingerprint to_sdp(const dtls::Fingerprint& fingerprint) {
  return {std::string(dtls::to_string(fingerprint.algorithm)), fingerprint.digest};
}

std::optional<dtls::Fingerprint> from_sdp(const sdp::Fingerprint& fingerprint) {
  for (const auto algorithm :
       {dtls::HashAlgorithm::Sha256, dtls::HashAlgorithm::Sha384, dtls::HashAlgorithm::Sha512})
    if (dtls::to_string(algorithm) == fingerprint.hash)
      return dtls::Fingerprint{algorithm, fingerprint.value};
  return std::nullopt;
}

rtp::ExtensionIds to_ids(const sdp::ExtensionIdTable& table) {
  rtp::ExtensionIds ids;
  for (size_t i = 0; i < rtp::kExtensionKinds; ++i)  // the same order in both, sdp/negotiated.h
    ids.of(static_cast<rtp::ExtensionKind>(i)) = table.ids[i];
  return ids;
}

ice::Remote to_remote(const sdp::RemoteTransport& transport) {
  ice::Remote remote{{transport.ice_ufrag, transport.ice_pwd}, {}};
  for (const sdp::Candidate& candidate : transport.candidates) {
    const auto ip = core::parse_ip(candidate.address);
    if (ip && candidate.transport == "udp")
      remote.candidates.push_back({{*ip, candidate.port}, candidate.priority});
  }
  return remote;
}

}  // namespace

ClientTransport::ClientTransport(core::Instant now, Config config, Services services)
    : config_(std::move(config)),
      services_(services),
      ice_(now, services.random),
      session_id_(services.random.u64() >> 2) {
  make_offer();
}

void ClientTransport::make_offer() {
  sdp::OfferConfig offer;
  offer.session_id = session_id_;
  offer.session_version = ++session_version_;
  offer.ice_ufrag = ice_.local().ufrag;
  offer.ice_pwd = ice_.local().password;
  offer.fingerprint = to_sdp(services_.identity.fingerprint());
  offer.cname = config_.cname;
  offer.audio_codecs = config_.audio_codecs;
  offer.video_codecs = config_.video_codecs;
  offer.lines = config_.lines;
  offer_ = sdp::make_offer(offer);
  offer_text_ = sdp::write_session_description(offer_);
}

core::Result<void, std::string> ClientTransport::handle_answer(core::Instant now, std::string_view answer) {
  auto negotiated = sdp::read_answer(offer_, answer);
  if (!negotiated) return core::err(to_string(negotiated.error()));
  ice::Remote remote = to_remote(negotiated->remote);
  if (config_.via) remote.candidates = {{*config_.via, 1}};
  if (remote.candidates.empty()) return core::err(std::string("the answer has no UDP candidate"));
  dtls::Config dtls{.role = dtls::Role::Client, .profiles = config_.srtp_profiles};
  for (const sdp::Fingerprint& fingerprint : negotiated->remote.fingerprints)
    if (const auto known = from_sdp(fingerprint)) dtls.remote_fingerprints.push_back(*known);
  if (dtls.remote_fingerprints.empty()) return core::err(std::string("the answer has no usable fingerprint"));

  negotiated_ = std::move(*negotiated);
  for (const sdp::NegotiatedLine& line : negotiated_.lines)
    if (!line.rejected) extension_ids_ = to_ids(line.extensions);
  for (const sdp::NegotiatedLine& line : negotiated_.lines) {
    // Ids mean one thing throughout the bundle; lines differ in which they have.
    const rtp::ExtensionIds ids = to_ids(line.extensions);
    for (size_t i = 0; i < rtp::kExtensionKinds; ++i) {
      const auto kind = static_cast<rtp::ExtensionKind>(i);
      if (ids.of(kind) != 0) extension_ids_.of(kind) = ids.of(kind);
    }
  }
  ice_.start(now, std::move(remote));
  if (dtls_ == nullptr) dtls_ = std::make_unique<dtls::Endpoint>(now, services_.identity, std::move(dtls));
  if (state_ == TransportState::New) enter(TransportState::Connecting);
  take_events(now);
  return {};
}

void ClientTransport::restart_ice(core::Instant now) {
  ice_.restart(now);
  make_offer();
}

ClientTransport::Received ClientTransport::handle_datagram(core::Instant now, const core::SocketAddress& from,
                                                           core::MutableBytes datagram) {
  switch (rtp::classify(datagram)) {
    case rtp::PacketClass::Stun:
      ice_.handle_datagram(now, from, datagram);
      take_events(now);
      return {};
    case rtp::PacketClass::Dtls:
      if (dtls_ != nullptr && ice_.is_validated(from))
        dtls_->handle_datagram(now, datagram);
      else
        ++counters_.dropped_in;
      take_events(now);
      return {};
    case rtp::PacketClass::Rtp:
      if (opener_ != nullptr && ice_.is_validated(from)) return open_rtp(datagram);
      break;
    case rtp::PacketClass::Rtcp:
      if (opener_ != nullptr && ice_.is_validated(from)) return open_rtcp(datagram);
      break;
    case rtp::PacketClass::Unknown: break;
  }
  ++counters_.dropped_in;
  return {};
}

ClientTransport::Received ClientTransport::open_rtp(core::MutableBytes datagram) {
  const auto sealed = rtp::parse_protected_packet(datagram);
  if (sealed) {
    const auto size =
        opener_->open_rtp(datagram, sealed->header_size, sealed->header.ssrc, sealed->header.sequence_number);
    if (size)
      if (const auto clear = rtp::parse_packet(datagram.first(*size))) {
        ++counters_.rtp_in;
        return Rtp{*clear};
      }
  }
  ++counters_.dropped_in;
  return {};
}

ClientTransport::Received ClientTransport::open_rtcp(core::MutableBytes datagram) {
  const auto size = opener_->open_rtcp(datagram);
  if (!size) {
    ++counters_.dropped_in;
    return {};
  }
  ++counters_.rtcp_in;
  return Rtcp{datagram.first(*size)};
}

void ClientTransport::handle_deadline(core::Instant now) {
  if (const auto due = ice_.deadline(); due && *due <= now) ice_.handle_deadline(now);
  if (dtls_ != nullptr)
    if (const auto due = dtls_->deadline(); due && *due <= now) dtls_->handle_deadline(now);
  take_events(now);
}

void ClientTransport::close(core::Instant now) {
  if (dtls_ != nullptr) dtls_->close(now);
}

void ClientTransport::take_events(core::Instant now) {
  while (const auto event = ice_.poll_event()) {
    const auto* changed = std::get_if<ice::FullAgent::StateChanged>(&*event);
    if (changed == nullptr) continue;
    if (changed->state == ice::FullState::Connected) {
      if (dtls_ != nullptr && dtls_->state() == dtls::State::New) dtls_->start(now);
      if (sealer_ != nullptr) enter(TransportState::Connected);
    } else if (changed->state == ice::FullState::Disconnected || changed->state == ice::FullState::Failed) {
      if (sealer_ != nullptr)
        enter(TransportState::Disconnected);
      else
        fail("no candidate of the node answers");
    }
  }
  while (dtls_ != nullptr) {
    const auto event = dtls_->poll_event();
    if (!event) break;
    if (const auto* connected = std::get_if<dtls::Connected>(&*event)) {
      opener_ = std::make_unique<srtp::Opener>(services_.backend, connected->inbound);
      sealer_ = std::make_unique<srtp::Sealer>(services_.backend, connected->outbound);
      profile_ = connected->outbound.profile;
      enter(TransportState::Connected);
    } else if (const auto* failed = std::get_if<dtls::Failed>(&*event)) {
      fail(std::string("DTLS: ") + to_string(failed->reason) + " " + failed->detail);
    } else {
      fail("closed by the node");
    }
  }
}

void ClientTransport::fail(std::string reason) {
  failure_ = std::move(reason);
  enter(TransportState::Failed);
}

void ClientTransport::enter(TransportState state) {
  if (state_ == state || state_ == TransportState::Failed) return;
  state_ = state;
  if (states_.size() < kMaxStates) states_.push_back(state);
}

std::optional<core::Transmit> ClientTransport::poll_transmit() {
  if (auto transmit = ice_.poll_transmit()) return transmit;
  if (dtls_ == nullptr || !ice_.destination()) return std::nullopt;
  auto bytes = dtls_->poll_transmit();
  if (!bytes) return std::nullopt;
  return core::Transmit{*ice_.destination(), std::move(*bytes)};
}

std::optional<TransportState> ClientTransport::poll_state() {
  if (states_.empty()) return std::nullopt;
  const TransportState state = states_.front();
  states_.pop_front();
  return state;
}

std::optional<core::Instant> ClientTransport::deadline() const {
  auto due = ice_.deadline();
  if (dtls_ != nullptr)
    if (const auto other = dtls_->deadline()) due = due ? std::min(*due, *other) : other;
  return due;
}

size_t ClientTransport::seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload,
                                 core::MutableBytes out) {
  return can_send() ? sealer_->seal_rtp(index, header, payload, out) : 0;
}

size_t ClientTransport::seal_rtcp(core::Bytes packet, core::MutableBytes out) {
  return can_send() ? sealer_->seal_rtcp(packet, out) : 0;
}

}  // namespace huitang::bot
