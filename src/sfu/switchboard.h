// Connects slots to source layers: waiting for a key frame, beginning and ending runs, keeping each outgoing
// stream continuous across them.
//
//              wait_on            a key frame starts               end_run
//   idle ─────────────▶ waiting ─────────────────────▶ forwarding ─────────▶ idle
//                        (may go on forwarding another layer meanwhile)
//
// Timeline across runs: between layers of one source whose sender reports are known, exactly the time between
// the two pictures; otherwise the time that passed at the node. Never backward.
#pragma once

#include <vector>

#include "sfu/tables.h"

namespace huitang::sfu {

class Switchboard {
 public:
  explicit Switchboard(Tables& t) : t_(t) {}

  /// The slot begins on `to` with its next key frame, which is asked for. What it forwards now goes on.
  void wait_on(core::Instant now, SlotId slot, LayerRef to);
  void cancel_wait(SlotId slot);
  void end_run(SlotId slot);
  /// Both of the above.
  void disconnect(SlotId slot);
  /// Everybody off that layer; those who were on it or waited for it wait again when `again`.
  void clear_layer(core::Instant now, LayerRef layer, bool again);

  /// All who wait on `from` begin with this packet. The ids of those who did are in begun() until the next
  /// call.
  void begin_waiting(core::Instant now, LayerRef from, const PacketFacts& first);
  const std::vector<SlotId>& begun() const { return begun_; }

  /// A key frame of that layer is wanted; the request leaves at once unless one did just before.
  void want_key_frame(core::Instant now, LayerRef layer);
  /// Repeats what is due.
  void poll_key_frame(core::Instant now, LayerRef layer);

  // Handing over (state.h): the slot's stream, and its place among those that wait or are forwarded to.
  void export_stream(const Slot& slot, SlotState& state) const;
  /// On a slot without a stream, when all sources are there. False: contradictory.
  bool restore_stream(core::Instant now, SlotId slot, const SlotState& state);

  bool is_consistent() const;

 private:
  struct Beginning {
    uint32_t timestamp = 0;
    bool keeps_timeline = false;  ///< the relation to the source's clock is the one of the run before
  };
  void begin_run(core::Instant now, SlotId id, LayerRef from, const PacketFacts& first);
  Beginning choose_timestamp(core::Instant now, const Slot& slot, LayerRef from,
                             const PacketFacts& first) const;

  bool can_carry(const Slot& slot, LayerRef from) const;
  bool restore_runs(Slot& slot, const SlotState& state) const;
  bool resume_run(SlotId slot, const SlotState& state);

  Tables& t_;
  std::vector<SlotId> begun_;
};

}  // namespace huitang::sfu
