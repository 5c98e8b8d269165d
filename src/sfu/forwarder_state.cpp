#include <algorithm>
#include <unordered_set>

#include "sfu/forwarder_parts.h"
#include "sfu/state.h"
#include "sfu/state_check.h"

namespace huitang::sfu {
namespace {

// Of the clocks' difference at the moment of the export: more than their rounding is another clock.
constexpr core::Duration kSameClock = core::Duration::millis(1);
// NTP times of this world lie closer together; beyond it differences of two offsets would overflow.
constexpr core::Duration kGreatestOffset = core::Duration::seconds(int64_t{1} << 31);

bool are_payload_types(const PayloadTypes& types) {
  return std::ranges::all_of(types, [](uint8_t t) { return t < 0x80; });
}

bool is_right(const SlotConfig& c) {
  return is_known(c.use, SlotUse::Share) && are_payload_types(c.payload_types) &&
         are_payload_types(c.rtx_payload_types);
}

bool is_right(core::Instant now, const RetransmitLimiter::State& s) {
  return is_plausible(s.refilled, now) && is_within(s.tokens, RetransmitLimiter::kBurst) &&
         is_plausible_wait(s.spacing);
}

/// No two streams of a receiver under one ssrc.
bool have_own_ssrcs(const std::vector<SlotState>& slots) {
  std::unordered_set<uint32_t> known;
  for (const SlotState& s : slots) {
    for (const uint32_t ssrc : {s.config.ssrc, s.config.rtx_ssrc}) {
      if (ssrc != 0 && !known.insert(ssrc).second) return false;
    }
  }
  return true;
}

}  // namespace

// ---- out

ForwarderState Forwarder::export_state(core::Instant now) const {
  const Parts& p = *parts_;
  const Tables& t = p.t;
  ForwarderState s;
  s.clock_instant = now;
  s.clock_ntp = t.clock.at(now);
  s.next_tick = p.next_tick;
  s.nack_deadline = p.ingest.nack_deadline();
  for (SourceIndex i = 0; i < t.sources.size(); ++i) {
    if (t.sources[i] != nullptr) s.sources.push_back(p.export_source(i));
  }
  for (const auto& [peer, owner] : t.owners) s.owners.push_back({peer, owner.clock.export_state()});
  std::ranges::sort(s.owners, {}, &OwnerState::peer);
  for (uint32_t i = 0; i < t.receivers.size(); ++i) {
    if (t.receivers[i] != nullptr) s.receivers.push_back(p.export_receiver(ReceiverIndex(i)));
  }
  for (const auto& group : t.groups) {
    if (group != nullptr) s.groups.push_back(p.mixer.export_group(*group));
  }
  s.video_service = t.video_service;
  s.counters = t.counters;
  return s;
}

SourceState Forwarder::Parts::export_source(SourceIndex index) const {
  const Source& source = *t.sources[index];
  SourceState s{index, source.binding, source.layer_count, source.flowing_layers, {}};
  for (const SourceLayer& layer : source.layers) s.layers.push_back(ingest.export_layer(layer));
  while (!s.layers.empty() && s.layers.back() == LayerState()) s.layers.pop_back();
  return s;
}

ReceiverState Forwarder::Parts::export_receiver(ReceiverIndex index) const {
  const Receiver& receiver = *t.find(index);
  ReceiverState s{index, receiver.peer, receiver.is_ready, receiver.limiter->export_state(), {}, {}, {}};
  if (receiver.budget) s.budget = receiver.budget->to_bps();
  for (const uint32_t g : receiver.groups) s.groups.push_back(t.groups[g]->id);
  s.slots.reserve(receiver.slots.size());
  for (const SlotId id : receiver.slots) {
    SlotState& slot = s.slots.emplace_back();
    slot.config = t.slots[id].config;
    director.export_view(t.slots[id], slot);
    switchboard.export_stream(t.slots[id], slot);
  }
  return s;
}

// ---- in

bool Forwarder::restore(core::Instant now, const ForwarderState& state) {
  if (!parts_->is_new()) return false;
  if (parts_->restore(now, state) && parts_->is_consistent()) return true;
  const Tables& t = parts_->t;
  parts_ = std::make_unique<Parts>(ForwarderConfig(t.config), t.clock, t.slab, t.random);
  return false;
}

bool Forwarder::Parts::is_new() const {
  return t.source_by_number.empty() && t.receiver_by_peer.empty() && t.group_by_id.empty() &&
         t.counters == ForwarderCounters() && t.video_service == VideoService::Full;
}

bool Forwarder::Parts::restore(core::Instant now, const ForwarderState& s) {
  const auto restored = [&](const auto& list, auto one) { return std::ranges::all_of(list, one); };
  if (!restore_clock(s) || !is_known(s.video_service, VideoService::Paused)) return false;
  t.video_service = s.video_service;
  if (!restored(s.owners, [&](const OwnerState& o) { return restore_owner(o); })) return false;
  if (!restored(s.sources, [&](const SourceState& x) { return restore_source(now, x); })) return false;
  if (std::ranges::any_of(t.owners, [](const auto& o) { return o.second.sources == 0; })) return false;
  if (!restored(s.receivers, [&](const ReceiverState& r) { return restore_receiver(now, r); })) return false;
  if (!restored(s.groups, [&](const GroupState& g) { return mixer.restore_group(now, g); })) return false;
  for (const auto& source : t.sources) {
    if (source != nullptr && source->group == kNone) return false;
  }
  if (!mixer.restore_listening(s.receivers)) return false;
  if (!restored(s.receivers, [&](const ReceiverState& r) { return restore_streams(now, r); })) return false;
  if (!ingest.restore_nack_deadline(now, s.nack_deadline)) return false;
  t.counters = s.counters;
  next_tick = s.next_tick;
  // What a tick is to do first, key frame requests among it, is not put off by a wrong deadline.
  if (!s.sources.empty()) next_tick = std::min(next_tick.value_or(now + kTick), now + kTick);
  return is_plausible(next_tick, now);
}

bool Forwarder::Parts::restore_clock(const ForwarderState& s) const {
  const core::Duration apart = t.clock.at(s.clock_instant) - s.clock_ntp;
  return apart < kSameClock && apart > -kSameClock;
}

bool Forwarder::Parts::restore_owner(const OwnerState& s) {
  if (s.clock.offset > kGreatestOffset || s.clock.offset < -kGreatestOffset) return false;
  const auto [it, is_new_one] = t.owners.try_emplace(s.peer);
  it->second.clock.restore(s.clock);
  return is_new_one;
}

bool Forwarder::Parts::restore_source(core::Instant now, const SourceState& s) {
  if (s.index < t.sources.size() || s.index >= t.config.max_sources) return false;  // ascending
  if (s.binding.number == SourceNumber() || !is_known(s.binding.kind, SourceKind::ScreenAudio)) return false;
  if (s.layer_count == 0 || s.layer_count > kMaxLayers || s.layers.size() > kMaxLayers) return false;
  const auto owner = t.owners.find(s.binding.owner);
  if (owner == t.owners.end() || !t.source_by_number.emplace(s.binding.number, s.index).second) return false;
  ++owner->second.sources;
  t.sources.resize(s.index + size_t{1});
  t.sources[s.index] =
      std::make_unique<Source>(s.binding, is_audio(s.binding.kind) ? kAudioClockRate : kVideoClockRate);
  Source& source = *t.sources[s.index];
  source.owner_clock = &owner->second.clock;
  source.layer_count = s.layer_count;
  source.flowing_layers = s.flowing_layers;
  uint8_t flowing = 0;
  for (size_t l = 0; l < s.layers.size(); ++l) {
    if (!ingest.restore_layer(now, s.layers[l], source.layers[l])) return false;
    flowing = static_cast<uint8_t>(flowing | (s.layers[l].is_flowing ? 1u << l : 0u));
  }
  return flowing == s.flowing_layers && flowing >> s.layer_count == 0;
}

bool Forwarder::Parts::restore_receiver(core::Instant now, const ReceiverState& s) {
  const uint32_t index = s.index.value();
  if (index < t.receivers.size() || index >= t.config.max_receivers) return false;  // ascending
  if (s.slots.size() > kMaxSlots || !have_own_ssrcs(s.slots) || !is_right(now, s.limiter)) return false;
  if (!t.receiver_by_peer.emplace(s.peer, s.index).second) return false;
  t.receivers.resize(index + size_t{1});
  t.receivers[index] = std::make_unique<Receiver>();
  Receiver& receiver = *t.receivers[index];
  receiver.peer = s.peer;
  receiver.is_ready = s.is_ready;
  receiver.limiter = std::make_unique<RetransmitLimiter>();
  receiver.limiter->restore(s.limiter);
  if (s.budget && !is_within(*s.budget, kEndOfRates)) return false;
  if (s.budget) receiver.budget = core::Bitrate::bps(*s.budget);
  for (const SlotState& slot : s.slots) {
    if (!is_right(slot.config)) return false;
    const auto position = static_cast<uint16_t>(receiver.slots.size());
    receiver.slots.push_back(take_slot(slot.config, s.index, position));
  }
  index_slots(receiver);
  return true;
}

bool Forwarder::Parts::restore_streams(core::Instant now, const ReceiverState& s) {
  const Receiver& receiver = *t.find(s.index);
  for (size_t i = 0; i < s.slots.size(); ++i) {
    const SlotId id = receiver.slots[i];
    if (!director.restore_view(now, id, s.slots[i]) || !switchboard.restore_stream(now, id, s.slots[i]))
      return false;
    // Nothing goes to one who cannot receive.
    if (!receiver.is_ready && (t.slots[id].current.is_set() || t.slots[id].waiting.is_set())) return false;
  }
  return true;
}

}  // namespace huitang::sfu
