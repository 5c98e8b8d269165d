#include "sfu/allocation_desk.h"

namespace huitang::sfu {
namespace {

// From this shown height on a tile counts as large: four rows fit under each other on a screen of 1080 lines
// and are small, three are not.
constexpr uint16_t kLargeHeight = 300;

PictureClass class_of(const Slot& slot) {
  if (slot.config.use == SlotUse::Share) return PictureClass::Share;
  if (slot.view.priority >= kForcedPriority) return PictureClass::Forced;
  if (std::holds_alternative<GroupId>(slot.view.show)) return PictureClass::Speaker;
  const ShownSize shown = assumed_size({slot.view.width, slot.view.height});
  return shown.height >= kLargeHeight ? PictureClass::Large : PictureClass::Small;
}

}  // namespace

bool AllocationDesk::poll_due(core::Instant now) {
  if (due_ && now < *due_) return false;
  due_ = now + kInterval;
  return true;
}

core::Bitrate AllocationDesk::rate_of(LayerRef ref) const {
  const SourceLayer& layer = t_.layer(ref);
  if (layer.meter.rate() != core::Bitrate() || !layer.is_flowing) return layer.meter.rate();
  const bool is_screen = t_.sources[ref.source]->binding.kind == SourceKind::Screen;
  const ShownSize size = assumed_size({layer.width, layer.height});
  return assumed_rate(is_screen ? PictureClass::Share : PictureClass::Small, size);
}

core::Bitrate AllocationDesk::sent(const Receiver& receiver) const {
  core::Bitrate sum;
  for (const SlotId id : receiver.slots) {
    const Slot& slot = t_.slots[id];
    if (slot.config.use != SlotUse::Audio && slot.current.is_set()) sum = sum + rate_of(slot.current);
  }
  return sum;
}

bool AllocationDesk::takes_part(const Slot& slot) const {
  return slot.config.use != SlotUse::Audio && slot.target != kNone && !t_.is_paused_by_load(slot);
}

WantedPicture AllocationDesk::picture_of(const Slot& slot) const {
  const Source& source = *t_.sources[slot.target];
  WantedPicture p{.rank = class_of(slot), .priority = slot.view.priority, .shown = t_.shown_size(slot)};
  for (size_t i = 0; i < kMaxLayers; ++i) {
    const SourceLayer& layer = source.layers[i];
    p.layers[i] = {.is_available = layer.is_flowing, .width = layer.width, .height = layer.height};
    p.layers[i].rates[0] = layer.meter.rate();
  }
  return p;
}

void AllocationDesk::decide(core::Instant now, Receiver& receiver) {
  size_t count = 0;
  for (const SlotId id : receiver.slots) {
    Slot& slot = t_.slots[id];
    if (!takes_part(slot)) {
      slot.allocation = {};
      tell_pause(receiver, slot, false);
      continue;
    }
    slots_[count] = id;
    pictures_[count] = picture_of(slot);
    allocations_[count++] = slot.allocation;
  }
  receiver.allotted =
      allocate(now, *receiver.budget, {pictures_.data(), count}, {allocations_.data(), count}, scratch_);
  for (size_t i = 0; i < count; ++i) {
    Slot& slot = t_.slots[slots_[i]];
    slot.allocation = allocations_[i];
    tell_pause(receiver, slot, !slot.allocation.step);
  }
}

void AllocationDesk::adopt(Slot& slot) {
  slot.allocation = {};
  if (slot.current.source == slot.target && slot.current.is_set())
    slot.allocation.step = LayerStep{slot.current.layer, kMaxTemporalLayers - 1};
}

void AllocationDesk::lift(Receiver& receiver) {
  receiver.allotted = {};
  for (const SlotId id : receiver.slots) {
    t_.slots[id].allocation = {};
    tell_pause(receiver, t_.slots[id], false);
  }
}

void AllocationDesk::tell_pause(const Receiver& receiver, Slot& slot, bool is_paused) {
  const SourceNumber number = is_paused ? t_.sources[slot.target]->binding.number : SourceNumber();
  if (slot.paused_source == number) return;
  if (t_.tell(SlotPaused{receiver.peer, slot.config.use, slot.config.index, number}))
    slot.paused_source = number;
}

void AllocationDesk::export_allocation(const Slot& slot, SlotState& s) {
  s.is_allotted = slot.allocation.step.has_value();
  if (slot.allocation.step) s.allotted_layer = slot.allocation.step->layer;
}

// Since when a step up was possible, and which layer the size needs, are found out anew; what is paused is told
// again, to a serve that has connected anew.
bool AllocationDesk::restore_allocation(Slot& slot, const SlotState& s) {
  if (s.allotted_layer >= kMaxLayers || (s.is_allotted && slot.config.use == SlotUse::Audio)) return false;
  slot.allocation.is_new = s.target == kNone;
  if (s.is_allotted) slot.allocation.step = LayerStep{s.allotted_layer, kMaxTemporalLayers - 1};
  return true;
}

}  // namespace huitang::sfu
