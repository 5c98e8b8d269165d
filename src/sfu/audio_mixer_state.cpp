#include <algorithm>
#include <unordered_set>

#include "sfu/audio_mixer.h"
#include "sfu/state_check.h"

namespace huitang::sfu {
namespace {

bool is_right(core::Instant now, const TalkerSelector::MemberState& m) {
  return is_within(m.meter.fast, 127) && is_within(m.meter.slow, 127) && is_plausible(m.meter.last, now) &&
         is_plausible(m.since, now) && is_plausible(m.last_audible, now);
}

}  // namespace

GroupState AudioMixer::export_group(const Group& group) const {
  return {.id = group.id,
          .is_set = group.is_set,
          .listeners = group.listeners,
          .always_heard = group.always_heard,
          .talkers = group.talkers.export_state(),
          .speaker = group.speaker.export_state(),
          .cameras = group.cameras,
          .screen_audios = group.screen_audios,
          .told_active = group.told.active,
          .told_talkers = {group.told.sources.begin(), group.told.sources.begin() + group.told.count}};
}

Source* AudioMixer::claim(SourceIndex index, SourceKind kind, uint32_t group) {
  if (index >= t_.sources.size() || t_.sources[index] == nullptr) return nullptr;
  Source& source = *t_.sources[index];
  if (source.binding.kind != kind || source.binding.group != t_.groups[group]->id || source.group != kNone)
    return nullptr;
  source.group = group;
  ++t_.groups[group]->sources;
  return &source;
}

bool AudioMixer::restore_group(core::Instant now, const GroupState& s) {
  if (t_.group_by_id.contains(s.id)) return false;
  // It goes with its last source, whoever listens.
  if (!s.is_set && !(s.listeners.empty() && s.always_heard.empty())) return false;
  const uint32_t index = open_group(s.id);
  if (index == kNone) return false;
  Group& group = *t_.groups[index];
  group.is_set = s.is_set;
  group.listeners = s.listeners;
  group.always_heard = s.always_heard;
  if (!restore_members(now, index, s) || !restore_speaker(now, index, s.speaker)) return false;
  for (SourceIndex i = 0; i < t_.sources.size(); ++i) claim(i, SourceKind::Screen, index);
  if (!group.is_set && group.sources == 0) return false;
  collect_heard(group);
  if (s.told_talkers.size() > GroupSpeakers::kMaxSources) return false;
  group.told.group = s.id;
  group.told.active = s.told_active;
  group.told.count = static_cast<uint8_t>(s.told_talkers.size());
  std::ranges::copy(s.told_talkers, group.told.sources.begin());
  return true;
}

bool AudioMixer::restore_members(core::Instant now, uint32_t index, const GroupState& s) {
  Group& group = *t_.groups[index];
  for (const auto& m : s.talkers.members) {
    if (!is_right(now, m)) return false;
  }
  if (!group.talkers.restore(s.talkers)) return false;
  for (uint32_t i = 0; i < s.talkers.members.size(); ++i) {
    Source* source = claim(s.talkers.members[i].source, SourceKind::Microphone, index);
    if (source == nullptr || (s.talkers.members[i].is_talker && !source->binding.forwarded)) return false;
    source->member = i;
    const auto& always = group.always_heard;
    group.talkers.set_always_heard(i, std::ranges::find(always, source->binding.number) != always.end());
  }
  for (const SourceIndex i : s.cameras) {
    if (claim(i, SourceKind::Camera, index) == nullptr) return false;
  }
  for (const SourceIndex i : s.screen_audios) {
    if (claim(i, SourceKind::ScreenAudio, index) == nullptr) return false;
  }
  group.cameras = s.cameras;
  group.screen_audios = s.screen_audios;
  return true;
}

bool AudioMixer::restore_speaker(core::Instant now, uint32_t index, const SpeakerDetector::State& s) {
  std::unordered_set<uint32_t> known;
  const auto is_ours = [&](uint32_t i) {
    return i < t_.sources.size() && t_.sources[i] != nullptr && t_.sources[i]->group == index &&
           t_.sources[i]->member != kNone && known.insert(i).second;
  };
  for (const auto& speech : s.speeches) {
    if (!is_ours(speech.source) || !is_plausible(speech.began, now) || !is_plausible(speech.last_loud, now))
      return false;
  }
  known.clear();
  return std::ranges::all_of(s.speakers, is_ours) && is_plausible(s.shown_since, now) &&
         t_.groups[index]->speaker.restore(s);
}

bool AudioMixer::restore_listening(std::span<const ReceiverState> receivers) {
  size_t said = 0;
  for (const ReceiverState& s : receivers) {
    Receiver& receiver = *t_.find(s.index);
    for (const GroupId id : s.groups) {
      const auto it = t_.group_by_id.find(id);
      if (it == t_.group_by_id.end()) return false;
      receiver.groups.push_back(it->second);
      ++said;
    }
  }
  size_t found = 0;
  for (uint32_t g = 0; g < t_.groups.size(); ++g) {
    Group& group = *t_.groups[g];
    std::unordered_set<PeerId> known;
    for (const PeerId peer : group.listeners) {
      const auto it = t_.receiver_by_peer.find(peer);
      if (it == t_.receiver_by_peer.end() || !known.insert(peer).second) continue;
      const auto& groups = t_.find(it->second)->groups;
      if (std::ranges::count(groups, g) != 1) return false;
      group.receivers.push_back(it->second);
      ++found;
    }
  }
  return said == found;
}

}  // namespace huitang::sfu
