#include "api/media_plan.h"

#include "huitang/v1/media.pb.h"

namespace huitang::api {
namespace {

constexpr uint32_t kSharePriority = 100;
constexpr uint32_t kLargestVideoPriority = 90;

v1::MediaMessage to_unbind(uint32_t source) {
  v1::MediaMessage message;
  message.mutable_unbind_source()->set_source(source);
  return message;
}

v1::MediaMessage to_bind(GroupId group, uint32_t source, const BoundSource& bound) {
  v1::MediaMessage message;
  v1::BindSource& bind = *message.mutable_bind_source();
  bind.set_source(source);
  bind.set_peer(bound.peer.value());
  bind.set_use(bound.use);
  bind.set_group(group.value());
  bind.set_forwarded(bound.forwarded);
  return message;
}

v1::MediaMessage to_group(GroupId group, const MediaPlan& plan) {
  v1::MediaMessage message;
  v1::SetGroup& set = *message.mutable_set_group();
  set.set_group(group.value());
  for (const PeerId peer : plan.listeners) set.add_listeners(peer.value());
  for (const uint32_t source : plan.always_heard) set.add_always_heard(source);
  return message;
}

/// Shares first, then the larger picture first.
uint32_t priority_of(const ShownSlot& slot) {
  if (slot.use == v1::LINE_USE_SHARE_SLOT) return kSharePriority;
  const uint32_t lines = slot.height / 16;
  return lines < kLargestVideoPriority ? lines + 1 : kLargestVideoPriority;
}

v1::MediaMessage to_view(GroupId group, PeerId peer, const View& view) {
  v1::MediaMessage message;
  v1::SetPeerView& set = *message.mutable_set_peer_view();
  set.set_peer(peer.value());
  for (const ShownSlot& slot : view) {
    v1::PeerSlot& out = *set.add_slots();
    out.set_use(slot.use);
    out.set_index(slot.index);
    if (slot.source == 0) {
      out.set_speaker_of_group(group.value());
    } else {
      out.set_source(slot.source);
    }
    out.set_width(slot.width);
    out.set_height(slot.height);
    out.set_priority(priority_of(slot));
  }
  return message;
}

bool is_slot(v1::LineUse use) { return use == v1::LINE_USE_VIDEO_SLOT || use == v1::LINE_USE_SHARE_SLOT; }

/// Whether `number` is a picture of somebody else in the conference.
bool is_others_picture(const conference::State& state, conference::ParticipantId viewer, uint32_t number) {
  for (const auto& [id, participant] : state.participants) {
    const bool camera = participant.source(v1::SOURCE_KIND_CAMERA).value() == number;
    const bool screen = participant.source(v1::SOURCE_KIND_SCREEN).value() == number;
    if (camera || screen) return id != viewer;
  }
  return false;
}

}  // namespace

void MediaPlan::forget(PeerId peer) {
  std::erase_if(sources, [&](const auto& entry) { return entry.second.peer == peer; });
  listeners.erase(peer);
  views.erase(peer);
}

std::vector<v1::MediaMessage> difference(GroupId group, const MediaPlan& held, const MediaPlan& wanted) {
  std::vector<v1::MediaMessage> messages;
  for (const auto& [number, bound] : held.sources) {
    const auto still = wanted.sources.find(number);
    if (still == wanted.sources.end() || still->second.peer != bound.peer)
      messages.push_back(to_unbind(number));
  }
  // An empty view first takes what a peer may no longer see from its slots.
  for (const auto& [peer, view] : held.views)
    if (!wanted.views.contains(peer) && !view.empty()) messages.push_back(to_view(group, peer, {}));
  for (const auto& [number, bound] : wanted.sources) {
    const auto before = held.sources.find(number);
    if (before == held.sources.end() || before->second != bound)
      messages.push_back(to_bind(group, number, bound));
  }
  if (wanted.listeners != held.listeners || wanted.always_heard != held.always_heard) {
    messages.push_back(to_group(group, wanted));
  }
  for (const auto& [peer, view] : wanted.views) {
    const auto before = held.views.find(peer);
    if (before == held.views.end() ? !view.empty() : before->second != view)
      messages.push_back(to_view(group, peer, view));
  }
  return messages;
}

View allowed_view(const View& asked, const conference::State& state, conference::ParticipantId viewer) {
  View allowed;
  for (const ShownSlot& slot : asked)
    if (is_slot(slot.use) && (slot.source == 0 || is_others_picture(state, viewer, slot.source)))
      allowed.push_back(slot);
  return allowed;
}

v1::LineUse line_use_of(v1::SourceKind kind) {
  switch (kind) {
    case v1::SOURCE_KIND_MICROPHONE: return v1::LINE_USE_MICROPHONE;
    case v1::SOURCE_KIND_CAMERA: return v1::LINE_USE_CAMERA;
    case v1::SOURCE_KIND_SCREEN: return v1::LINE_USE_SCREEN;
    case v1::SOURCE_KIND_SCREEN_AUDIO: return v1::LINE_USE_SCREEN_AUDIO;
    default: return v1::LINE_USE_UNSPECIFIED;
  }
}

v1::SourceKind source_kind_of(v1::LineUse use) {
  switch (use) {
    case v1::LINE_USE_MICROPHONE: return v1::SOURCE_KIND_MICROPHONE;
    case v1::LINE_USE_CAMERA: return v1::SOURCE_KIND_CAMERA;
    case v1::LINE_USE_SCREEN: return v1::SOURCE_KIND_SCREEN;
    case v1::LINE_USE_SCREEN_AUDIO: return v1::SOURCE_KIND_SCREEN_AUDIO;
    default: return v1::SOURCE_KIND_UNSPECIFIED;
  }
}

}  // namespace huitang::api
