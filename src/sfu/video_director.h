// What video and share slots show: from the view that serve set to a source, from the shown size to a layer.
//
// A slot that changes its source keeps the old picture until the key frame of the new one comes, at most
// kOldPictureHold: a living picture under its right name (the CSRC says whose it is) looks better than a
// frozen or black tile, and a key frame takes about 100 ms; but a source that sends nothing must not leave
// the old one there for long.
//
// A receiver with a budget shows what the allocation gives (allocator.h): what has no layer is paused at once.
// A lower layer begins with its key frame, which is asked for at once; until then the layer before goes on, at
// most kOldLayerHold, and not at all where what is sent is far above the budget: a queue of seconds would be
// worse than a picture that stands still for a moment.
#pragma once

#include "sfu/allocation_desk.h"
#include "sfu/switchboard.h"

namespace huitang::sfu {

class VideoDirector {
 public:
  static constexpr core::Duration kOldPictureHold = core::Duration::seconds(1);

  static constexpr core::Duration kOldLayerHold = core::Duration::millis(500);
  static constexpr double kFarAbove = 1.5;  ///< the budget

  VideoDirector(Tables& t, Switchboard& s) : t_(t), switchboard_(s), desk_(t) {}

  /// Whole: slots not named show nothing.
  void set_view(core::Instant now, Receiver& receiver, std::span<const SlotView> view);
  /// Absent: unlimited.
  void set_budget(core::Instant now, Receiver& receiver, std::optional<core::Bitrate> budget);
  ReceiverDemand demand(const Receiver& receiver) const;
  void reconsider(core::Instant now, SlotId slot);
  void reconsider_all(core::Instant now);
  void reconsider_receiver(core::Instant now, Receiver& receiver);
  /// The source's layers, flow or permission changed, or it came or went.
  void reconsider_source(core::Instant now, SourceIndex source);
  /// The group's speaker or cameras changed.
  void reconsider_group(core::Instant now, GroupId group);
  void handle_timeout(core::Instant now);
  /// The layer that the slot would show if its source sent all that it has and its receiver could take it; none
  /// for a slot that shows nothing.
  std::optional<uint8_t> best_layer(const Slot& slot) const;

  // Handing over (state.h): what the slot is to show.
  void export_view(const Slot& slot, SlotState& state) const;
  /// When all sources are there. False: contradictory.
  bool restore_view(core::Instant now, SlotId slot, const SlotState& state);

 private:
  SourceIndex resolve(const Slot& slot) const;
  SourceIndex resolve_source(SourceNumber number) const;
  SourceIndex resolve_speaker(const Slot& slot, GroupId group) const;
  SourceIndex camera_of(const Group& group, PeerId owner) const;
  void reallocate(core::Instant now, Receiver& receiver);
  /// To what it shows as decided. `at_once`: a layer too high does not wait for the lower one.
  void connect(core::Instant now, SlotId slot, bool at_once);
  void hold_old_picture(core::Instant now, SlotId slot, LayerRef to, bool at_once);
  bool has_budget(const Slot& slot) const { return t_.find(slot.receiver)->budget.has_value(); }
  bool is_paused(const Slot& slot) const;
  uint8_t choose_layer(const Slot& slot) const;
  void set_target(Slot& slot, SourceIndex target);

  Tables& t_;
  Switchboard& switchboard_;
  AllocationDesk desk_;
  std::vector<SlotId> holding_;  ///< slots with hold_until, and some that had it
};

}  // namespace huitang::sfu
