// The parts of the Forwarder, put together; included by its own two files only (forwarder.cpp: commands, media
// and time; forwarder_state.cpp: handing over).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sfu/demand_desk.h"
#include "sfu/media_ingest.h"
#include "sfu/repair_desk.h"
#include "sfu/reporter.h"

namespace huitang::sfu {

struct Forwarder::Parts {
  static constexpr core::Duration kTick = core::Duration::millis(50);

  Parts(const ForwarderConfig& config, rtp::NtpClock clock, PacketSlab& slab, core::Random& random)
      : t(config, clock, slab, random),
        switchboard(t),
        director(t, switchboard),
        mixer(t, switchboard),
        ingest(t, switchboard, director, mixer),
        demand(t, director),
        repair(t, switchboard),
        reporter(t) {}

  void wake(core::Instant now) {
    if (!next_tick) next_tick = now + kTick;
  }
  /// At the end of each call that may have changed who is heard.
  void settle(core::Instant now) {
    mixer.settle(now);
    HUITANG_DCHECK(is_consistent());
  }
  bool is_consistent() const;

  /// An unused slot under that configuration, its stream not begun.
  SlotId take_slot(const SlotConfig& config, ReceiverIndex receiver, uint16_t position);
  /// Likewise, with first numbers drawn.
  SlotId make_slot(const SlotConfig& config, ReceiverIndex receiver, uint16_t position);
  void free_slot(SlotId id);
  void index_slots(Receiver& receiver);
  std::optional<ReceiverIndex> make_receiver(PeerId peer);
  void change_source(core::Instant now, SourceIndex index, const SourceBinding& binding);
  SourceIndex free_source_index();
  void tick(core::Instant now);

  // Handing over (forwarder_state.cpp).
  bool is_new() const;
  SourceState export_source(SourceIndex index) const;
  ReceiverState export_receiver(ReceiverIndex index) const;
  bool restore(core::Instant now, const ForwarderState& state);
  bool restore_clock(const ForwarderState& state) const;
  bool restore_owner(const OwnerState& state);
  bool restore_source(core::Instant now, const SourceState& state);
  bool restore_receiver(core::Instant now, const ReceiverState& state);
  bool restore_streams(core::Instant now, const ReceiverState& state);

  Tables t;
  Switchboard switchboard;
  VideoDirector director;
  AudioMixer mixer;
  MediaIngest ingest;
  DemandDesk demand;
  RepairDesk repair;
  Reporter reporter;
  std::optional<core::Instant> next_tick;
  std::vector<GroupId> speaker_changed;  ///< scratch of tick()
};

}  // namespace huitang::sfu
