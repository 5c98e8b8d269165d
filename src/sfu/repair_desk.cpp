#include "sfu/repair_desk.h"

#include <algorithm>

#include "sfu/packet_former.h"

namespace huitang::sfu {

Slot* RepairDesk::find_slot(const Receiver& receiver, uint32_t ssrc) {
  for (const SlotId id : receiver.slots) {
    if (t_.slots[id].config.ssrc == ssrc) return &t_.slots[id];
  }
  return nullptr;
}

void RepairDesk::handle_nack(core::Instant now, Receiver& receiver, uint32_t ssrc,
                             std::span<const uint16_t> numbers, Batch& out) {
  t_.counters.nacks_in += numbers.size();
  Slot* slot = find_slot(receiver, ssrc);
  if (slot == nullptr || !receiver.is_ready || slot->config.rtx_ssrc == 0) {
    t_.counters.nacks_missed += numbers.size();
    return;
  }
  for (const uint16_t number : numbers) {
    const Found found = find_sent(now, *slot, number);
    if (found.packet == nullptr) {
      ++t_.counters.nacks_missed;
      continue;
    }
    if (!receiver.limiter->allows(now, slot->position, number)) {
      ++t_.counters.nacks_refused;
      continue;
    }
    const StoredPacket& p = *found.packet;
    const PacketFacts facts{.sequence = p.sequence,
                            .timestamp = p.timestamp,
                            .format = p.format,
                            .marker = p.marker,
                            .has_picture_id = true,
                            .picture_id = p.picture_id};
    const VideoForm form(t_.slab.bytes(p.payload), p.payload, facts, found.run->number);
    if (!form.append_rtx(*slot, found.run->shifts, slot->next_rtx_sequence, out.packets)) continue;
    ++slot->next_rtx_sequence;
    ++t_.counters.rtx_out;
    ++t_.counters.packets_out;
  }
}

RepairDesk::Found RepairDesk::find_sent(core::Instant now, const Slot& slot, uint16_t number) const {
  if (slot.run_count == 0) return {};
  int64_t end = slot.next_sequence;
  if (slot.current.is_set())
    end = t_.layer(slot.current).highest_sequence + slot.latest_run().shifts.sequence + 1;
  // The nearest number below `end`.
  const int64_t sent = end - 1 - static_cast<uint16_t>(static_cast<uint16_t>(end - 1) - number);
  const uint32_t known = std::min<uint32_t>(slot.run_count, Slot::kRuns);
  for (uint32_t back = 0; back < known; ++back) {
    const Run& run = slot.runs[(slot.run_count - 1 - back) % Slot::kRuns];
    if (sent < run.first) continue;
    if (run.from.source >= t_.sources.size() || t_.sources[run.from.source] == nullptr) return {};
    const Source& source = *t_.sources[run.from.source];
    if (source.binding.number != run.number || !source.binding.forwarded) return {};
    const SourceLayer& layer = source.layers[run.from.layer];
    if (layer.history == nullptr) return {};
    return {t_.history.find(*layer.history, sent - run.shifts.sequence, now), &run};
  }
  return {};
}

void RepairDesk::handle_key_frame_ask(core::Instant now, const Receiver& receiver, uint32_t ssrc) {
  ++t_.counters.key_frame_asks;
  Slot* slot = find_slot(receiver, ssrc);
  // One that waits has a request under way already.
  const bool may_ask =
      slot != nullptr && slot->current.is_set() && (!slot->last_ask || now - *slot->last_ask >= kAskInterval);
  if (!may_ask) {
    ++t_.counters.key_frame_asks_held;
    return;
  }
  slot->last_ask = now;
  switchboard_.want_key_frame(now, slot->current);
}

}  // namespace huitang::sfu
