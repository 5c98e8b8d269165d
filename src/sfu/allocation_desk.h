// Asks the allocator for the layers of a receiver's pictures, and keeps the answers in its slots.
//
// Fed by VideoDirector, which connects the slots accordingly. Receivers without a budget have no answers.
#pragma once

#include "sfu/allocator.h"
#include "sfu/tables.h"

namespace huitang::sfu {

class AllocationDesk {
 public:
  /// How often all are decided anew because rates change.
  static constexpr core::Duration kInterval = core::Duration::millis(250);

  explicit AllocationDesk(Tables& t) : t_(t) {}

  /// Slot::allocation and Receiver::allotted of a receiver with a budget; says which slots are paused.
  void decide(core::Instant now, Receiver& receiver);
  /// What the slot is sent while there was no budget yet counts as held.
  static void adopt(Slot& slot);
  /// The receiver has no budget any more.
  void lift(Receiver& receiver);
  /// True once in each interval.
  bool poll_due(core::Instant now);

  /// Of the layers that the receiver is sent now.
  core::Bitrate sent(const Receiver& receiver) const;
  core::Bitrate rate_of(LayerRef layer) const;

  // Handing over (state.h).
  static void export_allocation(const Slot& slot, SlotState& state);
  static bool restore_allocation(Slot& slot, const SlotState& state);

 private:
  bool takes_part(const Slot& slot) const;
  WantedPicture picture_of(const Slot& slot) const;
  void tell_pause(const Receiver& receiver, Slot& slot, bool is_paused);

  Tables& t_;
  std::optional<core::Instant> due_;
  // Of one decision; kept for their memory.
  std::array<SlotId, kMaxSlots> slots_{};
  std::array<WantedPicture, kMaxSlots> pictures_;
  std::array<PictureAllocation, kMaxSlots> allocations_;
  AllocationScratch scratch_;
};

}  // namespace huitang::sfu
