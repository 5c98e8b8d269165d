#include "sfu/audio_mixer.h"

#include <algorithm>
#include <utility>

namespace huitang::sfu {

uint32_t AudioMixer::open_group(GroupId id) {
  if (const auto it = t_.group_by_id.find(id); it != t_.group_by_id.end()) return it->second;
  if (t_.group_by_id.size() >= t_.config.max_groups) return kNone;
  uint32_t index = 0;
  while (index < t_.groups.size() && t_.groups[index] != nullptr) ++index;
  if (index == t_.groups.size()) t_.groups.emplace_back();
  t_.groups[index] = std::make_unique<Group>();
  t_.groups[index]->id = id;
  t_.group_by_id.emplace(id, index);
  return index;
}

void AudioMixer::set_group(core::Instant now, uint32_t index, const GroupConfig& config) {
  Group& group = *t_.groups[index];
  group.is_set = true;
  group.listeners = config.listeners;
  group.always_heard = config.always_heard;
  group.talkers.set_top(config.top_talkers);
  const auto& members = group.talkers.members();
  for (uint32_t i = 0; i < members.size(); ++i) {
    const SourceNumber number = t_.sources[members[i].source]->binding.number;
    group.talkers.set_always_heard(i,
                                   std::ranges::find(group.always_heard, number) != group.always_heard.end());
  }
  group.talkers.handle_timeout(now);
  resolve_listeners(index);
  refresh_heard(now, group);
}

void AudioMixer::close_group(core::Instant now, uint32_t index) {
  set_group(now, index, {});
  t_.groups[index]->is_set = false;
  drop_if_unused(index);
}

void AudioMixer::drop_if_unused(uint32_t index) {
  const Group& group = *t_.groups[index];
  if (group.is_set || group.sources != 0) return;
  t_.group_by_id.erase(group.id);
  t_.groups[index].reset();
}

void AudioMixer::resolve_listeners(uint32_t index) {
  Group& group = *t_.groups[index];
  for (const ReceiverIndex r : group.receivers) {
    Receiver* receiver = t_.find(r);
    if (receiver == nullptr) continue;
    std::erase(receiver->groups, index);
    t_.mark_audio_stale(r);
  }
  group.receivers.clear();
  for (const PeerId peer : group.listeners) {
    const auto it = t_.receiver_by_peer.find(peer);
    if (it == t_.receiver_by_peer.end()) continue;
    Receiver& receiver = *t_.find(it->second);
    if (std::ranges::find(receiver.groups, index) != receiver.groups.end()) continue;
    receiver.groups.push_back(index);
    group.receivers.push_back(it->second);
    t_.mark_audio_stale(it->second);
  }
}

void AudioMixer::add_source(core::Instant now, SourceIndex index) {
  Source& source = *t_.sources[index];
  Group& group = *t_.groups[source.group];
  ++group.sources;
  switch (source.binding.kind) {
    case SourceKind::Microphone:
      source.member = group.talkers.add(index);
      group.talkers.set_always_heard(
          source.member,
          std::ranges::find(group.always_heard, source.binding.number) != group.always_heard.end());
      break;
    case SourceKind::Camera: group.cameras.push_back(index); break;
    case SourceKind::ScreenAudio: group.screen_audios.push_back(index); break;
    case SourceKind::Screen: break;
  }
  refresh_heard(now, group);
}

void AudioMixer::remove_source(core::Instant now, SourceIndex index) {
  Source& source = *t_.sources[index];
  Group& group = *t_.groups[source.group];
  std::erase(group.cameras, index);
  std::erase(group.screen_audios, index);
  if (source.member != kNone) {
    const auto moved = group.talkers.remove(source.member);
    if (moved) t_.sources[*moved]->member = source.member;
    source.member = kNone;
    group.speaker.forget(index);
  }
  refresh_heard(now, group);
  --group.sources;
  drop_if_unused(std::exchange(source.group, kNone));
}

void AudioMixer::handle_source_change(core::Instant now, SourceIndex index) {
  Source& source = *t_.sources[index];
  if (source.group == kNone) return;
  Group& group = *t_.groups[source.group];
  if (source.member != kNone && !source.binding.forwarded) {
    group.talkers.mute(source.member);
    group.speaker.forget(index);
  }
  if (is_audio(source.binding.kind)) refresh_heard(now, group);
}

void AudioMixer::handle_level(core::Instant now, Source& source, uint8_t level) {
  if (source.member == kNone) return;
  Group& group = *t_.groups[source.group];
  if (group.talkers.handle_level(now, source.member, level)) refresh_heard(now, group);
}

void AudioMixer::handle_timeout(core::Instant now, std::vector<GroupId>& changed) {
  for (const auto& group : t_.groups) {
    if (group == nullptr) continue;
    const bool talkers_changed = group->talkers.handle_timeout(now);
    if (group->speaker.handle_timeout(now, group->talkers.members())) {
      changed.push_back(group->id);
      if (!talkers_changed) tell_speakers(now, *group);
    }
    if (talkers_changed) refresh_heard(now, *group);
  }
}

bool AudioMixer::may_be_heard(SourceIndex index) const {
  const Source& s = *t_.sources[index];
  return s.binding.forwarded && s.flowing_layers != 0;
}

void AudioMixer::collect_heard(Group& group) {
  group.heard.clear();
  for (const auto& m : group.talkers.members()) {
    if (m.is_always_heard && may_be_heard(m.source)) group.heard.push_back(m.source);
  }
  for (const SourceIndex s : group.screen_audios) {
    if (may_be_heard(s)) group.heard.push_back(s);
  }
  for (const auto& m : group.talkers.members()) {
    if (m.is_talker && !m.is_always_heard) group.heard.push_back(m.source);
  }
}

void AudioMixer::refresh_heard(core::Instant now, Group& group) {
  collect_heard(group);
  for (const ReceiverIndex r : group.receivers) t_.mark_audio_stale(r);
  tell_speakers(now, group);
}

void AudioMixer::tell_speakers(core::Instant now, Group& group) {
  GroupSpeakers e;
  e.group = group.id;
  if (const auto active = group.speaker.active()) e.active = t_.sources[*active]->binding.number;
  std::array<float, GroupSpeakers::kMaxSources> loudness{};
  for (const auto& m : group.talkers.members()) {
    if (!m.is_talker && !(m.is_always_heard && may_be_heard(m.source))) continue;
    if (e.count == GroupSpeakers::kMaxSources) break;
    const float l = m.meter.loudness(now);
    size_t at = e.count++;
    for (; at > 0 && loudness[at - 1] < l; --at) {
      loudness[at] = loudness[at - 1];
      e.sources[at] = e.sources[at - 1];
    }
    loudness[at] = l;
    e.sources[at] = t_.sources[m.source]->binding.number;
  }
  if (e == group.told) return;
  group.told = e;
  t_.tell(e);
}

void AudioMixer::settle(core::Instant now) {
  // place() marks nobody stale.
  for (const ReceiverIndex r : t_.stale_audio) {
    Receiver* receiver = t_.find(r);
    if (receiver == nullptr) continue;
    receiver->is_audio_stale = false;
    place(now, r, *receiver);
  }
  t_.stale_audio.clear();
}

int8_t AudioMixer::partner_of(const Receiver& receiver, const Source& source) const {
  const SourceKind picture =
      source.binding.kind == SourceKind::Microphone ? SourceKind::Camera : SourceKind::Screen;
  for (size_t k = 0; k < receiver.paired_video_slots.size(); ++k) {
    const SlotId id = receiver.paired_video_slots[k];
    if (id == kNone || t_.slots[id].target == kNone) continue;
    const SourceBinding& shown = t_.sources[t_.slots[id].target]->binding;
    if (shown.owner == source.binding.owner && shown.kind == picture) return static_cast<int8_t>(k);
  }
  return -1;
}

void AudioMixer::place(core::Instant now, ReceiverIndex, Receiver& receiver) {
  talkers_.clear();
  if (receiver.is_ready) {
    for (const uint32_t g : receiver.groups) {
      for (const SourceIndex s : t_.groups[g]->heard) {
        const Source& source = *t_.sources[s];
        if (source.binding.owner != receiver.peer) talkers_.push_back({s, partner_of(receiver, source)});
      }
    }
  }
  AudioPlacement::Slots current;
  current.fill(AudioPlacement::kFree);
  const size_t count = receiver.audio_slots.size();
  for (size_t k = 0; k < count; ++k) {
    const Slot& slot = t_.slots[receiver.audio_slots[k]];
    current[k] = slot.waiting.is_set() ? slot.waiting.source : slot.current.source;
  }
  AudioPlacement::Slots next;
  t_.counters.talkers_without_slot += AudioPlacement::place(talkers_, count, current, next);
  for (size_t k = 0; k < count; ++k) {
    if (next[k] == current[k]) continue;
    switchboard_.disconnect(receiver.audio_slots[k]);
    if (next[k] != AudioPlacement::kFree) switchboard_.wait_on(now, receiver.audio_slots[k], {next[k], 0});
  }
}

}  // namespace huitang::sfu
