#include "sfu/switchboard.h"

#include <algorithm>

namespace huitang::sfu {
namespace {

// The least step of the timeline at a switch, for when the new picture is not younger than the old one.
constexpr core::Duration kLeastVideoStep = core::Duration::millis(10);
constexpr core::Duration kLeastAudioStep = core::Duration::millis(20);
// After a switch that moved the stream's relation to wall-clock time: a browser fits a line through the last
// 20 reports (libwebrtc RtpToNtpEstimator), so that many follow quickly to let the old relation fall out of
// its window.
constexpr uint8_t kQuickReports = 20;

uint32_t to_ms(core::Instant t) { return static_cast<uint32_t>(t.to_nanos() / 1'000'000); }

}  // namespace

void Switchboard::wait_on(core::Instant now, SlotId id, LayerRef to) {
  Slot& slot = t_.slots[id];
  if (slot.waiting == to) return;
  cancel_wait(id);
  slot.waiting = to;
  t_.layer(to).waiting.push_back(id);
  if (slot.config.use != SlotUse::Audio) want_key_frame(now, to);
}

void Switchboard::cancel_wait(SlotId id) {
  Slot& slot = t_.slots[id];
  if (!slot.waiting.is_set()) return;
  SourceLayer& layer = t_.layer(slot.waiting);
  std::erase(layer.waiting, id);
  if (layer.waiting.empty()) layer.key_frames.cancel();
  slot.waiting = {};
}

void Switchboard::end_run(SlotId id) {
  Slot& slot = t_.slots[id];
  if (!slot.current.is_set()) return;
  SourceLayer& layer = t_.layer(slot.current);
  const Subscription& s = layer.forwarding[slot.place];

  slot.next_sequence = layer.highest_sequence + s.shifts.sequence + 1;
  slot.last_timestamp = layer.highest_timestamp + s.shifts.timestamp;
  slot.last_at = layer.highest_at;
  slot.last_source = t_.sources[slot.current.source]->binding.number;
  slot.last_ntp.reset();
  if (layer.clock.is_known()) slot.last_ntp = layer.clock.ntp_of(layer.highest_timestamp);
  if (layer.has_picture_id) {
    slot.next_picture_id =
        static_cast<uint16_t>((layer.highest_picture_id + s.shifts.picture_id + 1) & 0x7fff);
    slot.next_tl0 = static_cast<uint8_t>(layer.highest_tl0 + s.shifts.tl0 + 1);
  }
  slot.packets += layer.packets - slot.packets_base;
  slot.octets += layer.bytes - slot.octets_base;
  slot.latest_run().end = slot.next_sequence;

  if (slot.place + 1 != layer.forwarding.size()) {
    layer.forwarding[slot.place] = layer.forwarding.back();
    t_.slots[layer.forwarding[slot.place].slot_id].place = slot.place;
  }
  layer.forwarding.pop_back();
  slot.current = {};
}

void Switchboard::disconnect(SlotId id) {
  cancel_wait(id);
  end_run(id);
  t_.slots[id].hold_until.reset();
}

void Switchboard::clear_layer(core::Instant now, LayerRef ref, bool again) {
  SourceLayer& layer = t_.layer(ref);
  while (!layer.forwarding.empty()) {
    const SlotId id = layer.forwarding.back().slot_id;
    end_run(id);
    if (again && !t_.slots[id].waiting.is_set()) wait_on(now, id, ref);
  }
  while (!again && !layer.waiting.empty()) cancel_wait(layer.waiting.back());
}

void Switchboard::begin_waiting(core::Instant now, LayerRef from, const PacketFacts& first) {
  begun_.clear();
  SourceLayer& layer = t_.layer(from);
  // RED is unwrapped for those who do not take it.
  const auto needed = first.format == PayloadFormat::Red ? PayloadFormat::Opus : first.format;
  for (size_t i = 0; i < layer.waiting.size();) {
    const SlotId id = layer.waiting[i];
    if (t_.slots[id].config.payload_types[static_cast<size_t>(needed)] == 0) {
      ++i;
      continue;
    }
    layer.waiting[i] = layer.waiting.back();
    layer.waiting.pop_back();
    t_.slots[id].waiting = {};
    begin_run(now, id, from, first);
    begun_.push_back(id);
  }
}

Switchboard::Beginning Switchboard::choose_timestamp(core::Instant now, const Slot& slot, LayerRef from,
                                                     const PacketFacts& first) const {
  if (!slot.has_sent) return {slot.last_timestamp, false};
  const SourceLayer& layer = t_.layer(from);
  const bool is_audio = slot.config.use == SlotUse::Audio;
  const core::Duration least = is_audio ? kLeastAudioStep : kLeastVideoStep;
  const bool same_source = slot.last_source == t_.sources[from.source]->binding.number;

  core::Duration step = now - slot.last_at;
  bool exact = false;
  if (same_source && slot.last_ntp && layer.clock.is_known()) {
    const core::Duration media = layer.clock.ntp_of(first.timestamp) - *slot.last_ntp;
    // A sender whose reports lie does not get to throw the timeline about.
    if (media > core::Duration::seconds(-5) && media < step + core::Duration::seconds(5)) {
      step = media;
      exact = true;
    }
  }
  if (step < least) {
    step = least;
    exact = false;
  }
  return {slot.last_timestamp + static_cast<uint32_t>(layer.clock.to_ticks(step)), exact};
}

void Switchboard::begin_run(core::Instant now, SlotId id, LayerRef from, const PacketFacts& first) {
  end_run(id);
  Slot& slot = t_.slots[id];
  SourceLayer& layer = t_.layer(from);
  const Beginning begin = choose_timestamp(now, slot, from, first);

  Subscription s;
  s.shifts.sequence = slot.next_sequence - first.sequence;
  s.shifts.timestamp = begin.timestamp - first.timestamp;
  s.shifts.picture_id = static_cast<uint16_t>((slot.next_picture_id - first.picture_id) & 0x7fff);
  s.shifts.tl0 = static_cast<uint8_t>(slot.next_tl0 - first.tl0);
  s.first_sequence = first.sequence;
  s.slot_id = id;
  s.receiver = slot.receiver;
  s.slot = slot.position;
  s.ssrc = slot.config.ssrc;
  s.payload_types = slot.config.payload_types;
  s.report_at = to_ms(now);
  s.quick_reports = begin.keeps_timeline ? uint8_t{0} : kQuickReports;

  ++slot.run_count;
  slot.latest_run() = {from, t_.sources[from.source]->binding.number, s.shifts, slot.next_sequence, 0};
  slot.packets_base = layer.packets - 1;  // the first packet is counted already
  slot.octets_base = layer.bytes;
  slot.has_sent = true;
  slot.current = from;
  slot.hold_until.reset();
  slot.place = static_cast<uint32_t>(layer.forwarding.size());
  layer.forwarding.push_back(s);
  if (slot.config.use == SlotUse::Audio) return;
  ++t_.counters.switches;
  t_.counters.shows_dropped += !t_.shows.push(
      {slot.receiver, slot.config.use, slot.config.index, slot.latest_run().number, from.layer});
}

void Switchboard::want_key_frame(core::Instant now, LayerRef ref) {
  t_.layer(ref).key_frames.want();
  poll_key_frame(now, ref);
}

void Switchboard::poll_key_frame(core::Instant now, LayerRef ref) {
  if (!t_.layer(ref).key_frames.poll(now)) return;
  ++t_.counters.key_frame_requests;
  t_.request(KeyFrameRequest{t_.sources[ref.source]->binding.number, ref.layer});
}

bool Switchboard::is_consistent() const {
  size_t forwarding = 0;
  size_t waiting = 0;
  for (uint32_t i = 0; i < t_.sources.size(); ++i) {
    if (t_.sources[i] == nullptr) continue;
    for (uint8_t l = 0; l < kMaxLayers; ++l) {
      const SourceLayer& layer = t_.layer({i, l});
      for (uint32_t k = 0; k < layer.forwarding.size(); ++k) {
        const Slot& slot = t_.slots[layer.forwarding[k].slot_id];
        if (slot.place != k || !(slot.current == LayerRef{i, l})) return false;
      }
      for (const SlotId id : layer.waiting) {
        if (!(t_.slots[id].waiting == LayerRef{i, l})) return false;
      }
      forwarding += layer.forwarding.size();
      waiting += layer.waiting.size();
    }
  }
  for (const Slot& slot : t_.slots) {
    forwarding -= slot.current.is_set();
    waiting -= slot.waiting.is_set();
  }
  return forwarding == 0 && waiting == 0;
}

}  // namespace huitang::sfu
