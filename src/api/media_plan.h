// What the media node should hold for one conference, and the messages that lead there from what it holds.
// Pure values: the plan is derived anew from the conference after each change and compared with what was
// sent, so a restart of either process, a new peer and an ordinary mute are all the same step.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "conference/conference.h"
#include "core/id.h"
#include "huitang/v1/enums.pb.h"

namespace huitang::v1 {
class MediaMessage;
class SetPeerView;
}  // namespace huitang::v1

namespace huitang::api {

using PeerId = core::Id<struct PeerTag, uint64_t>;
/// The node's name for a conference: its number.
using GroupId = core::Id<struct GroupTag, uint64_t>;

struct ShownSlot {
  v1::LineUse use = v1::LINE_USE_UNSPECIFIED;
  uint32_t index = 0;
  uint32_t source = 0;  ///< 0: whoever speaks
  uint32_t width = 0;
  uint32_t height = 0;
  friend auto operator<=>(const ShownSlot&, const ShownSlot&) = default;
};
using View = std::vector<ShownSlot>;

struct BoundSource {
  PeerId peer;
  v1::LineUse use = v1::LINE_USE_UNSPECIFIED;
  bool forwarded = false;
  friend auto operator<=>(const BoundSource&, const BoundSource&) = default;
};

struct MediaPlan {
  std::map<uint32_t, BoundSource> sources;
  std::set<PeerId> listeners;
  std::set<uint32_t> always_heard;
  std::map<PeerId, View> views;
  bool is_empty() const { return sources.empty() && listeners.empty() && views.empty(); }
  friend bool operator==(const MediaPlan&, const MediaPlan&) = default;

  /// Whatever belongs to a peer that the node does not hold any more.
  void forget(PeerId peer);
};

/// The messages in the order in which the node should get them: what goes, who listens, what is bound, what
/// is shown.
std::vector<v1::MediaMessage> difference(GroupId group, const MediaPlan& held, const MediaPlan& wanted);

/// The part of `asked` that may be shown in this conference: slots of a kind, sources of others who are
/// listed. Every number that is not one of these is left out.
View allowed_view(const View& asked, const conference::State& state, conference::ParticipantId viewer);

v1::LineUse line_use_of(v1::SourceKind kind);
/// Of a sending line; unspecified for slots.
v1::SourceKind source_kind_of(v1::LineUse use);

}  // namespace huitang::api
