#include "sfu/state_check.h"
#include "sfu/video_director.h"

namespace huitang::sfu {

void VideoDirector::export_view(const Slot& slot, SlotState& s) const {
  if (const auto* number = std::get_if<SourceNumber>(&slot.view.show)) {
    s.shown = SlotState::Shown::Source;
    s.shown_id = number->value();
  } else if (const auto* group = std::get_if<GroupId>(&slot.view.show)) {
    s.shown = SlotState::Shown::Speaker;
    s.shown_id = group->value();
  }
  s.width = slot.view.width;
  s.height = slot.view.height;
  s.priority = slot.view.priority;
  s.target = slot.target;
  s.hold_until = slot.hold_until;
  desk_.export_allocation(slot, s);
}

bool VideoDirector::restore_view(core::Instant now, SlotId id, const SlotState& s) {
  Slot& slot = t_.slots[id];
  if (!AllocationDesk::restore_allocation(slot, s)) return false;
  if (slot.config.use == SlotUse::Audio)
    return s.shown == SlotState::Shown::Nothing && s.target == kNone && !s.hold_until;
  switch (s.shown) {
    case SlotState::Shown::Nothing: break;
    case SlotState::Shown::Source:
      if (s.shown_id > 0xffffffff) return false;
      slot.view.show = SourceNumber(static_cast<uint32_t>(s.shown_id));
      break;
    case SlotState::Shown::Speaker: slot.view.show = GroupId(s.shown_id); break;
    default: return false;  // not from an enumerator
  }
  slot.view.width = s.width;
  slot.view.height = s.height;
  slot.view.priority = s.priority;
  if (s.target != kNone) {
    if (s.target >= t_.sources.size() || t_.sources[s.target] == nullptr) return false;
    const SourceBinding& b = t_.sources[s.target]->binding;
    if (is_audio(b.kind) || !b.forwarded) return false;
    slot.target = s.target;
  }
  if (!is_plausible(s.hold_until, now)) return false;
  slot.hold_until = s.hold_until;
  if (s.hold_until) holding_.push_back(id);
  return true;
}

}  // namespace huitang::sfu
