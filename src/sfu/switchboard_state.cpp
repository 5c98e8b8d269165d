#include <algorithm>

#include "sfu/state_check.h"
#include "sfu/switchboard.h"

namespace huitang::sfu {

void Switchboard::export_stream(const Slot& slot, SlotState& s) const {
  s.current = slot.current;
  s.waiting = slot.waiting;
  const uint32_t known = std::min<uint32_t>(slot.run_count, Slot::kRuns);
  for (uint32_t i = slot.run_count - known; i < slot.run_count; ++i)
    s.runs.push_back(slot.runs[i % Slot::kRuns]);
  if (slot.current.is_set()) {
    const Subscription& subscription = t_.layer(slot.current).forwarding[slot.place];
    s.report_at = subscription.report_at;
    s.quick_reports = subscription.quick_reports;
  }
  s.last_ask = slot.last_ask;
  s.has_sent = slot.has_sent;
  s.next_sequence = slot.next_sequence;
  s.next_rtx_sequence = slot.next_rtx_sequence;
  s.last_timestamp = slot.last_timestamp;
  s.last_at = slot.last_at;
  s.last_ntp = slot.last_ntp;
  s.last_source = slot.last_source;
  s.next_picture_id = slot.next_picture_id;
  s.next_tl0 = slot.next_tl0;
  s.packets = slot.packets;
  s.octets = slot.octets;
  s.packets_base = slot.packets_base;
  s.octets_base = slot.octets_base;
}

bool Switchboard::restore_stream(core::Instant now, SlotId id, const SlotState& s) {
  Slot& slot = t_.slots[id];
  if (!is_within(s.next_sequence, kEndOfOutgoing) || !is_within(s.next_rtx_sequence, kEndOfOutgoing) ||
      s.next_picture_id > 0x7fff || !is_plausible(s.last_at, now) || !is_plausible(s.last_ask, now))
    return false;
  slot.last_ask = s.last_ask;
  slot.has_sent = s.has_sent;
  slot.next_sequence = s.next_sequence;
  slot.next_rtx_sequence = s.next_rtx_sequence;
  slot.last_timestamp = s.last_timestamp;
  slot.last_at = s.last_at;
  slot.last_ntp = s.last_ntp;
  slot.last_source = s.last_source;
  slot.next_picture_id = s.next_picture_id;
  slot.next_tl0 = s.next_tl0;
  slot.packets = s.packets;
  slot.octets = s.octets;
  slot.packets_base = s.packets_base;
  slot.octets_base = s.octets_base;
  if (!restore_runs(slot, s)) return false;
  if (s.current.is_set() && !resume_run(id, s)) return false;
  if (!s.waiting.is_set()) return true;
  if (s.waiting == s.current || !can_carry(slot, s.waiting)) return false;
  slot.waiting = s.waiting;
  t_.layer(s.waiting).waiting.push_back(id);
  return true;
}

bool Switchboard::can_carry(const Slot& slot, LayerRef from) const {
  if (from.source >= t_.sources.size() || t_.sources[from.source] == nullptr) return false;
  const SourceBinding& b = t_.sources[from.source]->binding;
  const bool is_audio_slot = slot.config.use == SlotUse::Audio;
  return b.forwarded && is_audio(b.kind) == is_audio_slot && from.layer < (is_audio_slot ? 1 : kMaxLayers);
}

// Without a gap: each begins where the one before ended, and the last ended where the stream goes on.
bool Switchboard::restore_runs(Slot& slot, const SlotState& s) const {
  if (s.runs.size() > Slot::kRuns || s.has_sent == s.runs.empty()) return false;
  for (size_t i = 0; i < s.runs.size(); ++i) {
    const Run& run = s.runs[i];
    const bool goes_on = i + 1 == s.runs.size() && s.current.is_set();
    const int64_t end = i + 1 < s.runs.size() ? s.runs[i + 1].first : s.next_sequence;
    if (!is_within(run.first, kEndOfOutgoing) || run.first > end || !is_within(end, kEndOfOutgoing))
      return false;
    if (goes_on ? run.first != s.next_sequence : run.end != end) return false;
    if (!is_within(run.first - std::clamp(run.shifts.sequence, -kEndOfIncoming, kEndOfIncoming),
                   kEndOfIncoming))
      return false;
    slot.runs[i] = run;
  }
  slot.run_count = static_cast<uint32_t>(s.runs.size());
  return true;
}

bool Switchboard::resume_run(SlotId id, const SlotState& s) {
  Slot& slot = t_.slots[id];
  if (slot.run_count == 0 || !can_carry(slot, s.current)) return false;
  const Run& run = slot.latest_run();
  if (!(run.from == s.current) || run.number != t_.sources[s.current.source]->binding.number) return false;
  SourceLayer& layer = t_.layer(s.current);
  const auto format = slot.config.use == SlotUse::Audio ? PayloadFormat::Opus : layer.format;
  if (slot.config.payload_types[static_cast<size_t>(format)] == 0) return false;

  Subscription subscription;
  subscription.shifts = run.shifts;
  subscription.first_sequence = run.first - run.shifts.sequence;
  subscription.slot_id = id;
  subscription.receiver = slot.receiver;
  subscription.ssrc = slot.config.ssrc;
  subscription.report_at = s.report_at;
  subscription.slot = slot.position;
  subscription.payload_types = slot.config.payload_types;
  subscription.quick_reports = s.quick_reports;
  if (subscription.first_sequence > layer.highest_sequence) return false;
  slot.current = s.current;
  slot.place = static_cast<uint32_t>(layer.forwarding.size());
  layer.forwarding.push_back(subscription);
  return true;
}

}  // namespace huitang::sfu
