#include "sfu/video_director.h"

#include <algorithm>
#include <utility>

namespace huitang::sfu {

void VideoDirector::set_view(core::Instant now, Receiver& receiver, std::span<const SlotView> view) {
  for (const SlotId id : receiver.slots) {
    Slot& slot = t_.slots[id];
    if (slot.config.use == SlotUse::Audio) continue;
    const auto is_mine = [&](const SlotView& v) {
      return v.use == slot.config.use && v.index == slot.config.index;
    };
    const auto it = std::find_if(view.begin(), view.end(), is_mine);
    const SlotView next = it == view.end() ? SlotView{slot.config.use, slot.config.index, {}, 0, 0, 0} : *it;
    if (next == slot.view) continue;
    slot.view = next;
    slot.allocation.is_new = true;
    set_target(slot, resolve(slot));
    if (!receiver.budget) connect(now, id, false);
  }
  if (receiver.budget) reallocate(now, receiver);
}

void VideoDirector::reconsider_receiver(core::Instant now, Receiver& receiver) {
  for (const SlotId id : receiver.slots) {
    Slot& slot = t_.slots[id];
    if (slot.config.use == SlotUse::Audio) continue;
    set_target(slot, resolve(slot));
    if (!receiver.budget) connect(now, id, false);
  }
  if (receiver.budget) reallocate(now, receiver);
}

void VideoDirector::set_budget(core::Instant now, Receiver& receiver, std::optional<core::Bitrate> budget) {
  if (receiver.budget == budget) return;
  const bool was_limited = std::exchange(receiver.budget, budget).has_value();
  if (!budget) {
    desk_.lift(receiver);
    return reconsider_receiver(now, receiver);
  }
  if (!was_limited) {
    for (const SlotId id : receiver.slots) desk_.adopt(t_.slots[id]);
  } else if (*budget >= receiver.allotted.sent) {
    return;  // what more it gives is given at the next turn
  }
  reallocate(now, receiver);
}

ReceiverDemand VideoDirector::demand(const Receiver& receiver) const {
  ReceiverDemand d = receiver.allotted;
  const bool is_served = receiver.budget && d.next <= d.sent;
  d.sent = desk_.sent(receiver);
  if (is_served) d.next = d.sent;
  if (!receiver.budget) {
    for (const SlotId id : receiver.slots) {
      const Slot& slot = t_.slots[id];
      if (slot.config.use == SlotUse::Audio || slot.target == kNone || is_paused(slot)) continue;
      d.wanted = d.wanted + desk_.rate_of({slot.target, choose_layer(slot)});
    }
    d.next = d.wanted;
  }
  d.next = std::max(d.next, d.sent);
  return d;
}

void VideoDirector::reallocate(core::Instant now, Receiver& receiver) {
  desk_.decide(now, receiver);
  const bool is_far_above = desk_.sent(receiver) > *receiver.budget * kFarAbove;
  for (const SlotId id : receiver.slots)
    if (t_.slots[id].config.use != SlotUse::Audio) connect(now, id, is_far_above);
}

void VideoDirector::reconsider_all(core::Instant now) {
  for (const auto& receiver : t_.receivers)
    if (receiver != nullptr) reconsider_receiver(now, *receiver);
}

void VideoDirector::reconsider_source(core::Instant now, SourceIndex source) {
  const Source* s = t_.sources[source].get();
  for (SlotId id = 0; id < t_.slots.size(); ++id) {
    const Slot& slot = t_.slots[id];
    const auto* wanted = std::get_if<SourceNumber>(&slot.view.show);
    const bool concerns =
        slot.target == source || (s != nullptr && wanted != nullptr && *wanted == s->binding.number);
    if (concerns) reconsider(now, id);
  }
}

void VideoDirector::reconsider_group(core::Instant now, GroupId group) {
  for (SlotId id = 0; id < t_.slots.size(); ++id) {
    const auto* wanted = std::get_if<GroupId>(&t_.slots[id].view.show);
    if (wanted != nullptr && *wanted == group) reconsider(now, id);
  }
}

void VideoDirector::reconsider(core::Instant now, SlotId id) {
  Slot& slot = t_.slots[id];
  set_target(slot, resolve(slot));
  Receiver* receiver = t_.find(slot.receiver);
  if (receiver != nullptr && receiver->budget) return reallocate(now, *receiver);
  connect(now, id, false);
}

void VideoDirector::connect(core::Instant now, SlotId id, bool at_once) {
  Slot& slot = t_.slots[id];
  // A paused slot keeps its target: the sound stays on the partner of the picture that will come back.
  if (slot.target == kNone || is_paused(slot)) {
    switchboard_.disconnect(id);
    slot.hold_until.reset();
    return;
  }
  const LayerRef to{slot.target, choose_layer(slot)};
  if (slot.current == to) {
    switchboard_.cancel_wait(id);
    slot.hold_until.reset();
    return;
  }
  hold_old_picture(now, id, to, at_once);
  switchboard_.wait_on(now, id, to);
}

void VideoDirector::hold_old_picture(core::Instant now, SlotId id, LayerRef to, bool at_once) {
  Slot& slot = t_.slots[id];
  const bool is_other = slot.current.is_set() && slot.current.source != slot.target;
  const bool is_too_high = slot.current.source == slot.target && to.layer < slot.current.layer &&
                           has_budget(slot) && to.layer < slot.allocation.needed;
  if (!is_other && !is_too_high) return slot.hold_until.reset();
  if (is_too_high && at_once) {
    slot.hold_until.reset();
    return switchboard_.end_run(id);
  }
  if (slot.hold_until) return;
  slot.hold_until = now + (is_other ? kOldPictureHold : kOldLayerHold);
  holding_.push_back(id);
}

void VideoDirector::set_target(Slot& slot, SourceIndex target) {
  if (slot.target == target) return;
  slot.target = target;
  slot.allocation.is_new = true;
  slot.allocation.needed.reset();
  // The sound follows the picture.
  if (slot.config.use == SlotUse::Video && slot.config.index < kPairedSlots)
    t_.mark_audio_stale(slot.receiver);
}

SourceIndex VideoDirector::resolve(const Slot& slot) const {
  const Receiver* receiver = t_.find(slot.receiver);
  if (receiver == nullptr || !receiver->is_ready) return kNone;
  if (const auto* number = std::get_if<SourceNumber>(&slot.view.show)) return resolve_source(*number);
  if (const auto* group = std::get_if<GroupId>(&slot.view.show)) return resolve_speaker(slot, *group);
  return kNone;
}

SourceIndex VideoDirector::resolve_source(SourceNumber number) const {
  const auto it = t_.source_by_number.find(number);
  if (it == t_.source_by_number.end()) return kNone;
  const SourceBinding& b = t_.sources[it->second]->binding;
  return b.forwarded && !is_audio(b.kind) ? it->second : kNone;
}

SourceIndex VideoDirector::camera_of(const Group& group, PeerId owner) const {
  for (const SourceIndex c : group.cameras) {
    const SourceBinding& b = t_.sources[c]->binding;
    if (b.owner == owner && b.forwarded) return c;
  }
  return kNone;
}

// The latest speaker who is not the viewer and has a picture; before anybody spoke, whoever has one.
SourceIndex VideoDirector::resolve_speaker(const Slot& slot, GroupId id) const {
  const auto it = t_.group_by_id.find(id);
  if (it == t_.group_by_id.end()) return kNone;
  const Group& group = *t_.groups[it->second];
  const PeerId viewer = t_.find(slot.receiver)->peer;
  for (const uint32_t microphone : group.speaker.speakers()) {
    const PeerId owner = t_.sources[microphone]->binding.owner;
    if (owner == viewer) continue;
    if (const SourceIndex c = camera_of(group, owner); c != kNone) return c;
  }
  const auto may_show = [&](SourceIndex c) {
    const SourceBinding& b = t_.sources[c]->binding;
    return b.owner != viewer && b.forwarded;
  };
  const bool keeps =
      slot.target != kNone && std::ranges::find(group.cameras, slot.target) != group.cameras.end();
  if (keeps && may_show(slot.target)) return slot.target;
  const auto any = std::ranges::find_if(group.cameras, may_show);
  return any == group.cameras.end() ? kNone : *any;
}

bool VideoDirector::is_paused(const Slot& slot) const {
  return t_.is_paused_by_load(slot) || (has_budget(slot) && !slot.allocation.step);
}

uint8_t VideoDirector::choose_layer(const Slot& slot) const {
  if (has_budget(slot)) return slot.allocation.step->layer;
  const Source& source = *t_.sources[slot.target];
  std::array<LayerFacts, kMaxLayers> facts;
  for (size_t i = 0; i < kMaxLayers; ++i) {
    const SourceLayer& layer = source.layers[i];
    facts[i] = {layer.is_flowing, layer.width, layer.height};
  }
  std::optional<uint8_t> current;
  if (slot.current.source == slot.target) current = slot.current.layer;
  if (slot.waiting.source == slot.target) current = slot.waiting.layer;
  return select_layer(facts, t_.shown_size(slot), current);
}

std::optional<uint8_t> VideoDirector::best_layer(const Slot& slot) const {
  if (slot.target == kNone || t_.is_paused_by_load(slot)) return std::nullopt;
  const Source& source = *t_.sources[slot.target];
  std::array<LayerFacts, kMaxLayers> facts;
  for (size_t i = 0; i < kMaxLayers; ++i)
    facts[i] = {i < source.known_layers(), source.layers[i].width, source.layers[i].height};
  std::optional<uint8_t> current;
  if (slot.current.source == slot.target) current = slot.current.layer;
  return select_layer(facts, t_.shown_size(slot), current);
}

void VideoDirector::handle_timeout(core::Instant now) {
  std::erase_if(holding_, [&](SlotId id) {
    Slot& slot = t_.slots[id];
    if (!slot.hold_until) return true;
    if (now < *slot.hold_until) return false;
    slot.hold_until.reset();
    switchboard_.end_run(id);
    return true;
  });
  if (!desk_.poll_due(now)) return;
  for (const auto& receiver : t_.receivers)
    if (receiver != nullptr && receiver->budget) reallocate(now, *receiver);
}

}  // namespace huitang::sfu
