#include "sfu/forwarder.h"

#include <algorithm>
#include <utility>

#include "sfu/forwarder_parts.h"

namespace huitang::sfu {

Forwarder::Forwarder(const ForwarderConfig& config, rtp::NtpClock clock, PacketSlab& slab,
                     core::Random& random)
    : parts_(std::make_unique<Parts>(config, clock, slab, random)) {}

Forwarder::~Forwarder() {
  while (!parts_->t.source_by_number.empty()) {
    unbind_source(core::Instant(), parts_->t.source_by_number.begin()->first);
  }
}

// ---- receivers
// ----------------------------------------------------------------------------------------------------

SlotId Forwarder::Parts::take_slot(const SlotConfig& config, ReceiverIndex receiver, uint16_t position) {
  if (t.free_slots.empty()) {
    t.free_slots.push_back(static_cast<SlotId>(t.slots.size()));
    t.slots.emplace_back();
  }
  const SlotId id = t.free_slots.back();
  t.free_slots.pop_back();
  Slot& slot = t.slots[id];
  slot = Slot();
  slot.config = config;
  slot.receiver = receiver;
  slot.position = position;
  slot.view.use = config.use;
  slot.view.index = config.index;
  return id;
}

SlotId Forwarder::Parts::make_slot(const SlotConfig& config, ReceiverIndex receiver, uint16_t position) {
  const SlotId id = take_slot(config, receiver, position);
  Slot& slot = t.slots[id];
  // RFC 3711 section 3.3.1: low first numbers, so that a lost first packet cannot put the roll-over counters
  // apart.
  slot.next_sequence = 1 + t.random.below(0x7fff);
  slot.next_rtx_sequence = 1 + t.random.below(0x7fff);
  slot.last_timestamp = t.random.u32();
  slot.next_picture_id = static_cast<uint16_t>(t.random.below(0x8000));
  slot.next_tl0 = static_cast<uint8_t>(t.random.below(0x100));
  return id;
}

void Forwarder::Parts::free_slot(SlotId id) {
  switchboard.disconnect(id);
  t.slots[id] = Slot();
  t.free_slots.push_back(id);
}

void Forwarder::Parts::index_slots(Receiver& receiver) {
  receiver.audio_slots.clear();
  receiver.paired_video_slots.assign(kPairedSlots, kNone);
  for (const SlotId id : receiver.slots) {
    const SlotConfig& c = t.slots[id].config;
    if (c.use == SlotUse::Audio && receiver.audio_slots.size() < kMaxAudioSlots)
      receiver.audio_slots.push_back(id);
    if (c.use == SlotUse::Video && c.index < kPairedSlots) receiver.paired_video_slots[c.index] = id;
  }
  std::ranges::sort(receiver.audio_slots, {}, [&](SlotId id) { return t.slots[id].config.index; });
}

std::optional<ReceiverIndex> Forwarder::Parts::make_receiver(PeerId peer) {
  if (t.receiver_by_peer.size() >= t.config.max_receivers) return std::nullopt;
  uint32_t index = 0;
  while (index < t.receivers.size() && t.receivers[index] != nullptr) ++index;
  if (index == t.receivers.size()) t.receivers.emplace_back();
  t.receivers[index] = std::make_unique<Receiver>();
  t.receivers[index]->peer = peer;
  t.receivers[index]->limiter = std::make_unique<RetransmitLimiter>();
  t.receiver_by_peer.emplace(peer, ReceiverIndex(index));
  for (uint32_t g = 0; g < t.groups.size(); ++g) {
    if (t.groups[g] != nullptr &&
        std::ranges::find(t.groups[g]->listeners, peer) != t.groups[g]->listeners.end()) {
      mixer.resolve_listeners(g);
    }
  }
  return ReceiverIndex(index);
}

std::optional<ReceiverIndex> Forwarder::add_receiver(core::Instant now, const ReceiverConfig& config) {
  Parts& p = *parts_;
  auto index = find_receiver(config.peer);
  if (!index) index = p.make_receiver(config.peer);
  if (!index) return std::nullopt;
  Receiver& receiver = *p.t.find(*index);
  std::vector<SlotId> before = std::exchange(receiver.slots, {});
  for (size_t i = 0; i < std::min(config.slots.size(), kMaxSlots); ++i) {
    const SlotConfig& c = config.slots[i];
    const auto is_same = [&](SlotId id) {
      const SlotConfig& old = p.t.slots[id].config;
      return old.use == c.use && old.index == c.index && old.ssrc == c.ssrc;
    };
    const auto known = std::ranges::find_if(before, is_same);
    if (known == before.end()) {
      receiver.slots.push_back(p.make_slot(c, *index, static_cast<uint16_t>(i)));
      continue;
    }
    Slot& slot = p.t.slots[*known];
    if (slot.position != i || slot.config.payload_types != c.payload_types) p.switchboard.disconnect(*known);
    slot.config = c;
    slot.position = static_cast<uint16_t>(i);
    receiver.slots.push_back(*known);
    before.erase(known);
  }
  for (const SlotId id : before) p.free_slot(id);
  p.index_slots(receiver);
  p.director.reconsider_receiver(now, receiver);
  p.t.mark_audio_stale(*index);
  p.wake(now);
  p.settle(now);
  return index;
}

void Forwarder::set_receiver_ready(core::Instant now, ReceiverIndex index, bool ready) {
  Parts& p = *parts_;
  Receiver* receiver = p.t.find(index);
  if (receiver == nullptr || receiver->is_ready == ready) return;
  receiver->is_ready = ready;
  p.director.reconsider_receiver(now, *receiver);
  p.demand.hurry();
  p.t.mark_audio_stale(index);
  p.settle(now);
}

void Forwarder::set_receiver_budget(core::Instant now, ReceiverIndex index,
                                    std::optional<core::Bitrate> budget) {
  Receiver* receiver = parts_->t.find(index);
  if (receiver == nullptr) return;
  parts_->director.set_budget(now, *receiver, budget);
  parts_->settle(now);
}

ReceiverDemand Forwarder::demand(ReceiverIndex index) const {
  const Receiver* receiver = parts_->t.find(index);
  return receiver == nullptr ? ReceiverDemand() : parts_->director.demand(*receiver);
}

void Forwarder::remove_receiver(core::Instant now, ReceiverIndex index) {
  Parts& p = *parts_;
  Receiver* receiver = p.t.find(index);
  if (receiver == nullptr) return;
  for (const SlotId id : receiver->slots) p.free_slot(id);
  for (const uint32_t g : receiver->groups) std::erase(p.t.groups[g]->receivers, index);
  p.t.receiver_by_peer.erase(receiver->peer);
  std::erase(p.t.stale_audio, index);
  p.t.receivers[index.value()].reset();
  p.settle(now);
}

std::optional<ReceiverIndex> Forwarder::find_receiver(PeerId peer) const {
  const auto it = parts_->t.receiver_by_peer.find(peer);
  if (it == parts_->t.receiver_by_peer.end()) return std::nullopt;
  return it->second;
}

// ---- sources
// ------------------------------------------------------------------------------------------------------

SourceIndex Forwarder::Parts::free_source_index() {
  for (SourceIndex i = 0; i < t.sources.size(); ++i) {
    if (t.sources[i] == nullptr) return i;
  }
  t.sources.emplace_back();
  return static_cast<SourceIndex>(t.sources.size() - 1);
}

SourceHandle Forwarder::bind_source(core::Instant now, const SourceBinding& binding) {
  Parts& p = *parts_;
  Tables& t = p.t;
  if (binding.number == SourceNumber()) return {};
  if (const SourceHandle known = find_source(binding.number); known.is_valid()) {
    const SourceBinding& before = t.sources[known.index]->binding;
    if (before.owner == binding.owner && before.kind == binding.kind) {
      p.change_source(now, known.index, binding);
      p.settle(now);
      return known;
    }
    unbind_source(now, binding.number);
  }
  if (t.source_by_number.size() >= t.config.max_sources) return {};
  const uint32_t group = p.mixer.open_group(binding.group);
  if (group == kNone) return {};
  const SourceIndex index = p.free_source_index();
  t.sources[index] =
      std::make_unique<Source>(binding, is_audio(binding.kind) ? kAudioClockRate : kVideoClockRate);
  Source& source = *t.sources[index];
  source.group = group;
  Tables::Owner& owner = t.owners[binding.owner];
  ++owner.sources;
  source.owner_clock = &owner.clock;
  t.source_by_number.emplace(binding.number, index);
  p.mixer.add_source(now, index);
  p.demand.add_source(now, source);
  p.director.reconsider_source(now, index);
  p.director.reconsider_group(now, binding.group);
  p.wake(now);
  p.settle(now);
  return {index, binding.number};
}

void Forwarder::Parts::change_source(core::Instant now, SourceIndex index, const SourceBinding& binding) {
  Source& source = *t.sources[index];
  const SourceBinding before = std::exchange(source.binding, binding);
  if (before.group != binding.group) {
    const uint32_t group = mixer.open_group(binding.group);
    if (group == kNone) {
      source.binding.group = before.group;
    } else {
      mixer.remove_source(now, index);
      source.group = group;
      mixer.add_source(now, index);
      director.reconsider_group(now, before.group);
    }
  }
  if (before.forwarded && !binding.forwarded) ingest.silence(now, index);
  if (before.forwarded != binding.forwarded) {
    mixer.handle_source_change(now, index);
    director.reconsider_source(now, index);
    demand.hurry();
  }
  director.reconsider_group(now, source.binding.group);
}

void Forwarder::unbind_source(core::Instant now, SourceNumber number) {
  Parts& p = *parts_;
  Tables& t = p.t;
  const auto it = t.source_by_number.find(number);
  if (it == t.source_by_number.end()) return;
  const SourceIndex index = it->second;
  Source& source = *t.sources[index];
  const GroupId group = source.binding.group;
  p.ingest.silence(now, index);
  t.source_by_number.erase(it);
  p.mixer.remove_source(now, index);
  p.director.reconsider_source(now, index);
  p.director.reconsider_group(now, group);
  p.mixer.settle(now);
  const auto owner = t.owners.find(source.binding.owner);
  if (--owner->second.sources == 0) t.owners.erase(owner);
  t.sources[index].reset();
  p.settle(now);
}

SourceHandle Forwarder::find_source(SourceNumber number) const {
  const auto it = parts_->t.source_by_number.find(number);
  if (it == parts_->t.source_by_number.end()) return {};
  return {it->second, number};
}

// ---- groups and views
// ---------------------------------------------------------------------------------------------

void Forwarder::set_group(core::Instant now, const GroupConfig& config) {
  const uint32_t group = parts_->mixer.open_group(config.group);
  if (group == kNone) return;
  parts_->mixer.set_group(now, group, config);
  parts_->wake(now);
  parts_->settle(now);
}

void Forwarder::close_group(core::Instant now, GroupId id) {
  const auto it = parts_->t.group_by_id.find(id);
  if (it == parts_->t.group_by_id.end()) return;
  parts_->mixer.close_group(now, it->second);
  parts_->director.reconsider_group(now, id);
  parts_->settle(now);
}

bool Forwarder::set_view(core::Instant now, PeerId peer, std::span<const SlotView> slots) {
  const auto index = find_receiver(peer);
  if (!index) return false;
  parts_->director.set_view(now, *parts_->t.find(*index), slots);
  parts_->demand.hurry();
  parts_->settle(now);
  return true;
}

void Forwarder::set_video_service(core::Instant now, VideoService service) {
  if (parts_->t.video_service == service) return;
  parts_->t.video_service = service;
  parts_->director.reconsider_all(now);
  parts_->demand.hurry();
  parts_->settle(now);
}

// ---- media and feedback
// -------------------------------------------------------------------------------------------

void Forwarder::handle_media(core::Instant now, const MediaPacket& packet, Batch& out) {
  parts_->ingest.handle_media(now, packet, out);
  HUITANG_DCHECK(parts_->is_consistent());
}

void Forwarder::handle_sender_report(core::Instant now, SourceHandle source, uint8_t layer,
                                     const rtp::SenderInfo& info) {
  Source* s = parts_->t.find(source);
  if (s != nullptr && layer < kMaxLayers) parts_->reporter.handle_sender_report(now, *s, layer, info);
}

void Forwarder::set_source_round_trip(SourceHandle source, core::Duration rtt) {
  Source* s = parts_->t.find(source);
  if (s == nullptr) return;
  for (SourceLayer& layer : s->layers) {
    if (layer.nacks != nullptr) layer.nacks->set_round_trip_time(rtt);
  }
}

void Forwarder::handle_nack(core::Instant now, ReceiverIndex receiver, uint32_t media_ssrc,
                            std::span<const uint16_t> numbers, Batch& out) {
  if (Receiver* r = parts_->t.find(receiver)) parts_->repair.handle_nack(now, *r, media_ssrc, numbers, out);
}

void Forwarder::handle_key_frame_ask(core::Instant now, ReceiverIndex receiver, uint32_t media_ssrc) {
  if (const Receiver* r = parts_->t.find(receiver)) parts_->repair.handle_key_frame_ask(now, *r, media_ssrc);
}

void Forwarder::set_receiver_round_trip(ReceiverIndex receiver, core::Duration rtt) {
  if (Receiver* r = parts_->t.find(receiver)) r->limiter->set_round_trip_time(rtt);
}

// ---- time
// ---------------------------------------------------------------------------------------------------------

void Forwarder::handle_timeout(core::Instant now, Batch& out) {
  Parts& p = *parts_;
  if (const auto due = p.ingest.nack_deadline(); due && now >= *due) p.ingest.poll_nacks(now);
  if (!p.next_tick || now < *p.next_tick) return;
  p.next_tick.reset();
  p.tick(now);
  p.settle(now);
  p.reporter.poll(now, out.reports);
  if (!p.t.source_by_number.empty() || p.t.history.size() != 0) p.wake(now);
}

void Forwarder::Parts::tick(core::Instant now) {
  t.history.expire(now);
  ingest.handle_timeout(now);
  director.handle_timeout(now);
  speaker_changed.clear();
  mixer.handle_timeout(now, speaker_changed);
  for (const GroupId g : speaker_changed) director.reconsider_group(now, g);
  for (SourceIndex i = 0; i < t.sources.size(); ++i) {
    if (t.sources[i] == nullptr || is_audio(t.sources[i]->binding.kind)) continue;
    for (uint8_t l = 0; l < kMaxLayers; ++l) switchboard.poll_key_frame(now, {i, l});
  }
  if (!speaker_changed.empty()) demand.hurry();
  demand.handle_timeout(now);
}

std::optional<core::Instant> Forwarder::deadline() const {
  const auto nack = parts_->ingest.nack_deadline();
  const auto& tick = parts_->next_tick;
  if (nack && tick) return std::min(*nack, *tick);
  return nack ? nack : tick;
}

std::optional<Request> Forwarder::poll_request() { return parts_->t.requests.pop(); }
std::optional<Event> Forwarder::poll_event() { return parts_->t.events.pop(); }
std::optional<SlotShows> Forwarder::poll_shows() { return parts_->t.shows.pop(); }

// ---- looking in
// ---------------------------------------------------------------------------------------------------

const ForwarderCounters& Forwarder::counters() const { return parts_->t.counters; }

ForwarderSizes Forwarder::sizes() const {
  const Tables& t = parts_->t;
  return {.sources = t.source_by_number.size(),
          .owners = t.owners.size(),
          .receivers = t.receiver_by_peer.size(),
          .slots = t.slots.size() - t.free_slots.size(),
          .groups = t.group_by_id.size(),
          .history = t.history.size(),
          .resting = parts_->demand.resting(),
          .tables = t.sources.size() + t.receivers.size() + t.slots.size() + t.groups.size()};
}

std::vector<SourceSnapshot> Forwarder::snapshot_sources() const {
  std::vector<SourceSnapshot> all;
  for (const auto& source : parts_->t.sources) {
    if (source == nullptr) continue;
    SourceSnapshot s{source->binding, source->flowing_layers, {}};
    for (size_t l = 0; l < kMaxLayers; ++l) {
      const SourceLayer& layer = source->layers[l];
      s.layers[l] = {layer.width,
                     layer.height,
                     layer.packets,
                     layer.bytes,
                     static_cast<uint32_t>(layer.forwarding.size()),
                     static_cast<uint32_t>(layer.waiting.size()),
                     (source->told_demand.value_or(0xff) >> l & 1) != 0};
    }
    all.push_back(s);
  }
  return all;
}

std::vector<SlotSnapshot> Forwarder::snapshot_slots(ReceiverIndex index) const {
  std::vector<SlotSnapshot> all;
  const Tables& t = parts_->t;
  const Receiver* receiver = t.find(index);
  if (receiver == nullptr) return all;
  const auto number_of = [&](SourceIndex i) {
    return i == kNone ? SourceNumber() : t.sources[i]->binding.number;
  };
  for (const SlotId id : receiver->slots) {
    const Slot& slot = t.slots[id];
    const bool is_audio_slot = slot.config.use == SlotUse::Audio;
    const SourceIndex next = slot.waiting.is_set() ? slot.waiting.source : slot.current.source;
    uint64_t packets = slot.packets;
    if (slot.current.is_set()) packets += t.layer(slot.current).packets - slot.packets_base;
    all.push_back({slot.config.use, slot.config.index, number_of(is_audio_slot ? next : slot.target),
                   number_of(slot.current.source), slot.current.layer, packets});
  }
  return all;
}

bool Forwarder::is_consistent() const { return parts_->is_consistent(); }

bool Forwarder::Parts::is_consistent() const {
  for (const auto& group : t.groups) {
    if (group != nullptr && !group->talkers.is_consistent()) return false;
  }
  for (const auto& source : t.sources) {
    if (source == nullptr || source->binding.forwarded) continue;
    for (const SourceLayer& layer : source->layers) {
      if (!layer.forwarding.empty()) return false;
    }
  }
  return switchboard.is_consistent() && t.history.is_consistent();
}

}  // namespace huitang::sfu
