#include "worker/worker.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "ice/credentials.h"
#include "rtp/demux.h"
#include "rtp/rtcp.h"

namespace huitang::worker {

namespace {

/// Peers are looked over for due deadlines no more often than this: ICE, DTLS and reports do not need better.
constexpr core::Duration kScanInterval = core::Duration::millis(5);

std::optional<sfu::PayloadFormat> format_of(sdp::Codec codec) {
  switch (codec) {
    case sdp::Codec::Opus: return sfu::PayloadFormat::Opus;
    case sdp::Codec::Red: return sfu::PayloadFormat::Red;
    case sdp::Codec::Vp8: return sfu::PayloadFormat::Vp8;
    case sdp::Codec::H264: return sfu::PayloadFormat::H264;
  }
  return std::nullopt;
}

std::optional<sfu::SourceKind> source_kind_of(peer::LineUse use) {
  switch (use) {
    case peer::LineUse::Microphone: return sfu::SourceKind::Microphone;
    case peer::LineUse::Camera: return sfu::SourceKind::Camera;
    case peer::LineUse::Screen: return sfu::SourceKind::Screen;
    case peer::LineUse::ScreenAudio: return sfu::SourceKind::ScreenAudio;
    case peer::LineUse::AudioSlot:
    case peer::LineUse::VideoSlot:
    case peer::LineUse::ShareSlot: return std::nullopt;
  }
  return std::nullopt;
}

sfu::SlotUse slot_use_of(peer::LineUse use) {
  if (use == peer::LineUse::AudioSlot) return sfu::SlotUse::Audio;
  return use == peer::LineUse::ShareSlot ? sfu::SlotUse::Share : sfu::SlotUse::Video;
}

sfu::SlotConfig to_slot_config(const peer::SlotLine& line) {
  sfu::SlotConfig slot;
  slot.use = slot_use_of(line.line.use);
  slot.index = static_cast<uint16_t>(line.line.index);
  slot.ssrc = line.ssrc;
  slot.rtx_ssrc = line.rtx_ssrc;
  if (line.is_rejected) return slot;
  for (const sdp::NegotiatedCodec& codec : line.codecs) {
    const auto format = format_of(codec.codec);
    if (!format) continue;
    slot.payload_types[static_cast<size_t>(*format)] = codec.payload_type;
    slot.rtx_payload_types[static_cast<size_t>(*format)] = codec.rtx_payload_type.value_or(0);
  }
  return slot;
}

sfu::PeerId to_sfu(peer::PeerId id) { return sfu::PeerId(id.value()); }

}  // namespace

Worker::Worker(core::Instant now, WorkerConfig config, const dtls::Identity& identity, srtp::Backend& backend,
               core::Random& random, PacketOut& out)
    : config_(std::move(config)),
      services_{identity, backend, random},
      out_(out),
      slab_(config_.slab),
      forwarder_(config_.forwarder, config_.clock, slab_, random),
      next_scan_(now),
      governor_(now, config_.load) {}

Worker::~Worker() = default;

// ---- commands

core::Result<std::string, CommandError> Worker::open_peer(core::Instant now, peer::PeerId id,
                                                          std::string_view offer,
                                                          std::span<const peer::Line> lines,
                                                          Admission admission) {
  PeerEntry* entry = find_peer(id);
  std::unique_ptr<PeerEntry> fresh;
  if (entry == nullptr) {
    const bool is_loaded = admission == Admission::Stranger && governor_.level() >= LoadLevel::NoNewPeers;
    if (peers_.size() >= config_.max_peers || is_loaded) {
      ++counters_.refused_full;
      return core::err(CommandError{CommandErrorCode::Full, is_loaded ? "this worker's core is used up"
                                                                      : "this worker takes no more peers"});
    }
    fresh = std::make_unique<PeerEntry>();
    fresh->peer =
        std::make_unique<peer::Peer>(now, id, peer::PeerConfig{.addresses = config_.addresses}, services_);
    fresh->next_report = now + PeerEntry::kReportInterval;
    entry = fresh.get();
  }
  auto answer = entry->peer->handle_offer(now, offer, lines);
  if (!answer)
    return core::err(CommandError{CommandErrorCode::BadOffer, std::string(to_string(answer.error().code)) +
                                                                  ": " + answer.error().reason});
  entry->extension_ids = entry->peer->extension_ids();
  entry->lines.resize(entry->peer->sources().size());
  if (fresh) peers_.emplace(id, std::move(fresh));
  register_receiver(now, *entry);
  if (!entry->receiver) {
    close_peer(now, id);
    return core::err(CommandError{CommandErrorCode::Full, "this worker takes no more receivers"});
  }
  entry->log.add(now, {.number = entry->peer->revision(), .kind = LogKind::Opened});
  drain_peer(now, *entry);
  return std::move(*answer);
}

void Worker::register_receiver(core::Instant now, PeerEntry& entry) {
  sfu::ReceiverConfig config;
  config.peer = to_sfu(entry.peer->id());
  for (const peer::SlotLine& slot : entry.peer->slots()) config.slots.push_back(to_slot_config(slot));
  entry.receiver = forwarder_.add_receiver(now, config);
  if (!entry.receiver) return;
  const size_t index = entry.receiver->value();
  if (by_receiver_.size() <= index) by_receiver_.resize(index + 1, nullptr);
  by_receiver_[index] = &entry;
}

void Worker::close_peer(core::Instant now, peer::PeerId id) {
  const auto it = peers_.find(id);
  if (it == peers_.end()) return;
  PeerEntry& entry = *it->second;
  send_media();  // what waits may name this receiver, whose index another one may get
  for (InboundLine& line : entry.lines)
    if (line.source.is_valid()) unbind_source(now, line.source.number);
  entry.peer->close(now);
  drain_peer(now, entry);
  // Whoever lets go of a peer needs no word of its end, which would reach him after the answer to his next offer under
  // the same id and be taken for the end of that one.
  std::erase_if(events_, [id](const Event& event) {
    const auto* state = std::get_if<PeerStateEvent>(&event);
    return state != nullptr && state->peer == id;
  });
  out_.flush();
  if (entry.receiver) {
    forwarder_.remove_receiver(now, *entry.receiver);
    by_receiver_[entry.receiver->value()] = nullptr;
  }
  forget_addresses(entry);
  std::erase(touched_, &entry);
  gone_.add(entry.peer->counters());
  peers_.erase(it);
}

void Worker::forget_addresses(PeerEntry& entry) {
  for (const core::SocketAddress& address : entry.addresses) {
    const auto it = by_address_.find(address);
    if (it != by_address_.end() && it->second == &entry) by_address_.erase(it);
  }
  for (const std::string& fragment : entry.fragments) by_fragment_.erase(fragment);
}

core::Result<void, CommandError> Worker::bind_source(core::Instant now, peer::PeerId id, peer::LineUse use,
                                                     sfu::SourceNumber number, sfu::GroupId group,
                                                     bool forwarded) {
  PeerEntry* entry = find_peer(id);
  if (entry == nullptr) return core::err(CommandError{CommandErrorCode::NoSuchPeer, "no such peer"});
  const auto sources = entry->peer->sources();
  const auto line = std::find_if(sources.begin(), sources.end(),
                                 [&](const peer::SourceLine& s) { return s.line.use == use; });
  const auto kind = source_kind_of(use);
  if (line == sources.end() || !kind)
    return core::err(CommandError{CommandErrorCode::NoSuchLine, "the peer offers no such line"});
  InboundLine& inbound = entry->lines[static_cast<size_t>(line - sources.begin())];
  if (inbound.source.is_valid() && inbound.source.number != number) unbind_source(now, inbound.source.number);
  if (PeerEntry* owner = find_owner(number); owner != nullptr && owner != entry) unbind_source(now, number);
  inbound.source = forwarder_.bind_source(now, {.number = number,
                                                .owner = to_sfu(id),
                                                .kind = *kind,
                                                .group = group,
                                                .forwarded = forwarded,
                                                .layers = static_cast<uint8_t>(line->layer_count())});
  if (!inbound.source.is_valid())
    return core::err(CommandError{CommandErrorCode::Full, "no room for the source"});
  owners_[number] = entry;
  entry->log.add(now, {.number = number.value(),
                       .kind = LogKind::SourceBound,
                       .a = static_cast<uint8_t>(use),
                       .b = forwarded});
  return {};
}

void Worker::unbind_source(core::Instant now, sfu::SourceNumber number) {
  if (PeerEntry* owner = find_owner(number)) {
    for (InboundLine& line : owner->lines)
      if (line.source.is_valid() && line.source.number == number) line.source = {};
    owners_.erase(number);
    owner->log.add(now, {.number = number.value(), .kind = LogKind::SourceUnbound});
  }
  forwarder_.unbind_source(now, number);
}

void Worker::set_group(core::Instant now, const sfu::GroupConfig& group) { forwarder_.set_group(now, group); }
void Worker::close_group(core::Instant now, sfu::GroupId group) { forwarder_.close_group(now, group); }

core::Result<void, CommandError> Worker::set_view(core::Instant now, peer::PeerId id,
                                                  std::span<const sfu::SlotView> view) {
  if (!forwarder_.set_view(now, to_sfu(id), view))
    return core::err(CommandError{CommandErrorCode::NoSuchPeer, "no such peer"});
  return {};
}

// ---- in

void Worker::handle_datagrams(core::Instant now, std::span<const Datagram> datagrams, Ingress ingress) {
  counters_.datagrams_in += datagrams.size();
  // Checks keep a connection alive; under load they must not wait behind media.
  for (const Datagram& d : datagrams)
    if (rtp::classify(d.bytes) == rtp::PacketClass::Stun) handle_one(now, d, ingress);
  for (const Datagram& d : datagrams)
    if (rtp::classify(d.bytes) != rtp::PacketClass::Stun) handle_one(now, d, ingress);
}

void Worker::handle_one(core::Instant now, const Datagram& datagram, Ingress ingress) {
  const bool is_stun = rtp::classify(datagram.bytes) == rtp::PacketClass::Stun;
  // A check names its peer by itself: after a restart of a client the address may still be in another one's
  // name.
  PeerEntry* entry = is_stun ? find_by_fragment(datagram.bytes) : find_by_address(datagram.from);
  if (entry == nullptr) {
    ++counters_.unattributed;
    return;
  }
  if (ingress == Ingress::Urgent && entry->peer->looks_like_picture(datagram.bytes)) {
    ++counters_.shed_pictures;
    return;
  }
  mark_touched(*entry);
  if (is_stun) entry->local = datagram.to;
  const peer::Received received = entry->peer->handle_datagram(now, datagram.from, datagram.bytes);
  if (const auto* rtp = std::get_if<peer::ReceivedRtp>(&received)) return handle_rtp(now, *entry, *rtp);
  if (const auto* rtcp = std::get_if<peer::ReceivedRtcp>(&received)) return handle_rtcp(now, *entry, *rtcp);
  drain_peer(now, *entry);
}

PeerEntry* Worker::find_by_address(const core::SocketAddress& from) {
  const auto it = by_address_.find(from);
  return it == by_address_.end() ? nullptr : it->second;
}

PeerEntry* Worker::find_by_fragment(core::Bytes datagram) {
  const auto fragment = ice::peek_username_fragment(datagram);
  if (!fragment) return nullptr;
  const auto it = by_fragment_.find(std::string(*fragment));
  return it == by_fragment_.end() ? nullptr : it->second;
}

PeerEntry* Worker::find_peer(peer::PeerId id) {
  const auto it = peers_.find(id);
  return it == peers_.end() ? nullptr : it->second.get();
}

PeerEntry* Worker::find_owner(sfu::SourceNumber number) {
  const auto it = owners_.find(number);
  return it == owners_.end() ? nullptr : it->second;
}

void Worker::handle_rtp(core::Instant now, PeerEntry& entry, const peer::ReceivedRtp& received) {
  InboundLine& line = entry.lines[received.source];
  InboundLayer& layer = line.layers[received.layer];
  const rtp::PacketView& packet = received.packet;
  if (layer.ssrc != packet.header.ssrc) {
    const bool audio = received.codec == sdp::Codec::Opus || received.codec == sdp::Codec::Red;
    layer.ssrc = packet.header.ssrc;
    layer.statistics.emplace(layer.ssrc, audio ? sfu::kAudioClockRate : sfu::kVideoClockRate);
  }
  if (!received.is_retransmission)
    layer.statistics->handle_packet(now, packet.header.sequence_number, packet.header.timestamp,
                                    packet.payload_size);
  if (!line.source.is_valid()) {
    ++counters_.unbound_media;
    return;
  }
  const auto format = format_of(received.codec);
  const uint32_t buffer = slab_.acquire();
  if (!format || buffer == sfu::PayloadRef::kNone || packet.payload_size > slab_.buffer_size()) {
    if (buffer != sfu::PayloadRef::kNone)
      slab_.release(buffer);
    else
      ++counters_.slab_exhausted;
    return;
  }
  const core::Bytes payload = packet.payload();
  if (!payload.empty()) std::memcpy(slab_.buffer(buffer).data(), payload.data(), payload.size());
  const sfu::MediaPacket media{.source = line.source,
                               .layer = received.layer,
                               .format = *format,
                               .marker = packet.header.marker,
                               .sequence_number = packet.header.sequence_number,
                               .timestamp = packet.header.timestamp,
                               .audio_level = received.audio_level,
                               .payload = {buffer, 0, static_cast<uint16_t>(payload.size())}};
  forwarder_.handle_media(now, media, batch_);
  slab_.release(buffer);
  if (batch_.packets.size() >= kMaxCopies) send_media();
}

void Worker::handle_rtcp(core::Instant now, PeerEntry& entry, const peer::ReceivedRtcp& received) {
  rtp::CompoundReader reader(received.packets);
  while (const auto packet = reader.next()) {
    if (const auto* sr = std::get_if<rtp::SenderReportView>(&*packet)) {
      handle_sender_report(now, entry, sr->info);
      for (size_t i = 0; i < sr->blocks.size(); ++i) handle_report_block(now, entry, sr->blocks[i]);
    } else if (const auto* rr = std::get_if<rtp::ReceiverReportView>(&*packet)) {
      for (size_t i = 0; i < rr->blocks.size(); ++i) handle_report_block(now, entry, rr->blocks[i]);
    } else if (const auto* nack = std::get_if<rtp::NackView>(&*packet)) {
      std::array<uint16_t, 512> numbers;  // more in one packet is no honest receiver's
      size_t count = 0;
      nack->for_each([&](uint16_t number) {
        if (count < numbers.size()) numbers[count++] = number;
      });
      if (entry.receiver)
        forwarder_.handle_nack(now, *entry.receiver, nack->media_ssrc, std::span(numbers).first(count),
                               batch_);
    } else if (const auto* pli = std::get_if<rtp::PliView>(&*packet)) {
      entry.log.add(now, {.number = pli->media_ssrc, .kind = LogKind::KeyFrameAsk});
      if (entry.receiver) forwarder_.handle_key_frame_ask(now, *entry.receiver, pli->media_ssrc);
    } else if (const auto* fir = std::get_if<rtp::FirView>(&*packet)) {
      for (size_t i = 0; i < fir->size() && entry.receiver; ++i)
        forwarder_.handle_key_frame_ask(now, *entry.receiver, fir->ssrc(i));
    }
  }
  counters_.malformed_rtcp += reader.failed();
}

void Worker::handle_sender_report(core::Instant now, PeerEntry& entry, const rtp::SenderInfo& info) {
  for (InboundLine& line : entry.lines)
    for (size_t layer = 0; layer < line.layers.size(); ++layer)
      if (line.layers[layer].ssrc == info.ssrc && line.layers[layer].statistics) {
        line.layers[layer].statistics->handle_sender_report(now, info.ntp);
        if (line.source.is_valid())
          forwarder_.handle_sender_report(now, line.source, static_cast<uint8_t>(layer), info);
        return;
      }
}

/// What the client says of one of our slots; the round trip is the transport's, so it serves its sources,
/// too.
void Worker::handle_report_block(core::Instant now, PeerEntry& entry, const rtp::ReportBlock& block) {
  entry.log.add_loss(now, LogKind::LossOut, block.fraction_lost);
  const core::Duration rtt =
      rtp::round_trip_time(config_.clock.at(now), block.last_sr, block.delay_since_last_sr);
  if (rtt <= core::Duration() || rtt > core::Duration::seconds(10)) return;
  entry.round_trip = rtt;
  if (entry.receiver) forwarder_.set_receiver_round_trip(*entry.receiver, rtt);
  for (const InboundLine& line : entry.lines)
    if (line.source.is_valid()) forwarder_.set_source_round_trip(line.source, rtt);
}

// ---- peers between turns

void Worker::mark_touched(PeerEntry& entry) {
  if (entry.is_touched) return;
  entry.is_touched = true;
  touched_.push_back(&entry);
}

void Worker::drain_peer(core::Instant now, PeerEntry& entry) {
  while (const auto event = entry.peer->poll_event()) handle_peer_event(now, entry, *event);
  while (const auto transmit = entry.peer->poll_transmit()) {
    const core::MutableBytes slot = out_.slot(transmit->to, entry.local);
    const bool fits = transmit->bytes.size() <= slot.size();
    if (fits) std::memcpy(slot.data(), transmit->bytes.data(), transmit->bytes.size());
    out_.commit(fits ? transmit->bytes.size() : 0);
  }
  if (entry.peer->can_send()) {
    for (;;) {
      const core::MutableBytes slot = out_.slot(*entry.peer->destination(), entry.local);
      const size_t size = entry.peer->poll_feedback(now, slot);
      out_.commit(size);
      if (size == 0) break;
    }
  }
  entry.deadline = entry.peer->deadline();
}

void Worker::handle_peer_event(core::Instant now, PeerEntry& entry, const peer::Event& event) {
  if (const auto* changed = std::get_if<peer::StateChanged>(&event)) {
    if (entry.receiver)
      forwarder_.set_receiver_ready(now, *entry.receiver, changed->state == peer::PeerState::Connected);
    entry.log.add(now, {.kind = LogKind::State,
                        .a = static_cast<uint8_t>(changed->state),
                        .b = static_cast<uint8_t>(changed->reason)});
    push(PeerStateEvent{entry.peer->id(), changed->state, changed->reason});
  } else if (const auto* added = std::get_if<peer::FragmentAdded>(&event)) {
    by_fragment_[added->ufrag] = &entry;
    entry.fragments.push_back(added->ufrag);
  } else if (const auto* retired = std::get_if<peer::FragmentRetired>(&event)) {
    by_fragment_.erase(retired->ufrag);
    std::erase(entry.fragments, retired->ufrag);
  } else if (const auto* address = std::get_if<peer::AddressAdded>(&event)) {
    by_address_[address->address] = &entry;
    entry.addresses.push_back(address->address);
    entry.log.add(now, {.kind = LogKind::AddressAdded, .address = address->address});
  } else if (const auto* gone = std::get_if<peer::AddressRemoved>(&event)) {
    const auto it = by_address_.find(gone->address);
    if (it != by_address_.end() && it->second == &entry) by_address_.erase(it);
    std::erase(entry.addresses, gone->address);
    entry.log.add(now, {.kind = LogKind::AddressGone, .address = gone->address});
  } else if (const auto* to = std::get_if<peer::DestinationChanged>(&event)) {
    entry.log.add(now, {.kind = LogKind::Destination, .address = to->address});
  }
}

void Worker::run_timers(core::Instant now) {
  if (now < next_scan_) return;
  next_scan_ = now + kScanInterval;
  for (auto& [id, entry] : peers_) {
    if (entry->deadline && *entry->deadline <= now) {
      entry->peer->handle_deadline(now);
      drain_peer(now, *entry);
    }
    if (entry->next_report <= now) send_receiver_report(now, *entry);
  }
}

std::optional<core::Instant> Worker::handle_turn(core::Instant now) {
  run_timers(now);
  if (const auto deadline = forwarder_.deadline(); deadline && *deadline <= now)
    forwarder_.handle_timeout(now, batch_);
  send_media();
  send_requests(now);
  log_shows(now);
  for (PeerEntry* entry : touched_) {
    entry->is_touched = false;
    drain_peer(now, *entry);
  }
  touched_.clear();
  out_.flush();
  slab_.reclaim();
  while (const auto event = forwarder_.poll_event()) std::visit([this](const auto& e) { push(e); }, *event);
  HUITANG_DCHECK(is_consistent());

  std::optional<core::Instant> next = forwarder_.deadline();
  if (!peers_.empty()) {
    core::Instant earliest = core::Instant::far_future();
    for (const auto& [id, entry] : peers_) {
      if (entry->deadline) earliest = std::min(earliest, *entry->deadline);
      earliest = std::min(earliest, entry->next_report);
    }
    earliest = std::max(earliest, next_scan_);
    next = next ? std::min(*next, earliest) : earliest;
  }
  return next;
}

void Worker::push(Event event) {
  if (events_.size() >= kMaxEvents) {
    ++counters_.dropped_events;
    return;
  }
  events_.push_back(std::move(event));
}

std::optional<Event> Worker::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

LiveObjects Worker::live() const {
  return {.peers = peers_.size(),
          .addresses = by_address_.size(),
          .fragments = by_fragment_.size(),
          .bound_sources = owners_.size(),
          .receivers = by_receiver_.size() - std::ranges::count(by_receiver_, nullptr),
          .packet_buffers = slab_.in_use(),
          .media = forwarder_.sizes()};
}

std::vector<peer::Peer::Snapshot> Worker::snapshot_peers() const {
  std::vector<peer::Peer::Snapshot> out;
  out.reserve(peers_.size());
  for (const auto& [id, entry] : peers_) out.push_back(entry->peer->snapshot());
  return out;
}

std::vector<PeerSlots> Worker::snapshot_slots() const {
  std::vector<PeerSlots> out;
  for (const auto& [id, entry] : peers_)
    if (entry->receiver) out.push_back({entry->peer->id(), forwarder_.snapshot_slots(*entry->receiver)});
  return out;
}

bool Worker::is_consistent() const {
  for (const auto& [address, entry] : by_address_)
    if (!peers_.contains(entry->peer->id())) return false;
  for (const auto& [number, entry] : owners_)
    if (!peers_.contains(entry->peer->id())) return false;
  return batch_.packets.empty() && touched_.empty();
}

}  // namespace huitang::worker
