#include "sfu/video_director.h"

#include <algorithm>

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
    reconsider(now, id);
  }
}

void VideoDirector::reconsider_receiver(core::Instant now, const Receiver& receiver) {
  for (const SlotId id : receiver.slots) {
    if (t_.slots[id].config.use != SlotUse::Audio) reconsider(now, id);
  }
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
  if (slot.current.is_set() && slot.current.source != slot.target) {
    if (!slot.hold_until) {
      slot.hold_until = now + kOldPictureHold;
      holding_.push_back(id);
    }
  } else {
    slot.hold_until.reset();
  }
  switchboard_.wait_on(now, id, to);
}

void VideoDirector::set_target(Slot& slot, SourceIndex target) {
  if (slot.target == target) return;
  slot.target = target;
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
  return t_.video_service == VideoService::Paused && slot.config.use == SlotUse::Video;
}

uint8_t VideoDirector::choose_layer(const Slot& slot) const {
  const Source& source = *t_.sources[slot.target];
  std::array<LayerFacts, kMaxLayers> facts;
  for (size_t i = 0; i < kMaxLayers; ++i) {
    const SourceLayer& layer = source.layers[i];
    facts[i] = {layer.is_flowing, layer.width, layer.height};
  }
  std::optional<uint8_t> current;
  if (slot.current.source == slot.target) current = slot.current.layer;
  if (slot.waiting.source == slot.target) current = slot.waiting.layer;
  if (t_.video_service != VideoService::Full) return select_layer(facts, {1, 1}, std::nullopt);
  return select_layer(facts, {slot.view.width, slot.view.height}, current);
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
}

}  // namespace huitang::sfu
