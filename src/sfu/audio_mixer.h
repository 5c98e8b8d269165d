// Who hears whom: the talkers of each group, and on which audio slot of each listener they play.
//
// It mixes nothing: it selects, and leaves the sum to the browsers. Nobody hears himself. Screen audio and
// always heard microphones are carried beside the top N while they flow.
#pragma once

#include "sfu/switchboard.h"

namespace huitang::sfu {

class AudioMixer {
 public:
  AudioMixer(Tables& t, Switchboard& s) : t_(t), switchboard_(s) {}

  /// Index of the group, made when new; kNone at the cap.
  uint32_t open_group(GroupId id);
  void set_group(core::Instant now, uint32_t group, const GroupConfig& config);
  /// Listeners forget the group; its sources stay bound and are heard by nobody.
  void close_group(core::Instant now, uint32_t group);
  /// Which of the listeners have a receiver changed.
  void resolve_listeners(uint32_t group);

  /// The source was given its group (or is about to lose it).
  void add_source(core::Instant now, SourceIndex source);
  void remove_source(core::Instant now, SourceIndex source);
  /// `forwarded` or flow of the source changed.
  void handle_source_change(core::Instant now, SourceIndex source);

  /// The level of a packet about to be forwarded; placement may change because of it.
  void handle_level(core::Instant now, Source& source, uint8_t level);
  /// Groups whose active speaker changed are appended to `changed`.
  void handle_timeout(core::Instant now, std::vector<GroupId>& changed);

  /// Places talkers anew for all receivers marked stale.
  void settle(core::Instant now);

  // Handing over (state.h). Groups are restored when all sources and receivers are there, then who listens.
  GroupState export_group(const Group& group) const;
  bool restore_group(core::Instant now, const GroupState& state);
  bool restore_listening(std::span<const ReceiverState> receivers);

 private:
  void collect_heard(Group& group);
  void refresh_heard(core::Instant now, Group& group);
  bool may_be_heard(SourceIndex source) const;
  void place(core::Instant now, ReceiverIndex index, Receiver& receiver);
  int8_t partner_of(const Receiver& receiver, const Source& source) const;
  void drop_if_unused(uint32_t group);
  void tell_speakers(core::Instant now, Group& group);
  bool restore_members(core::Instant now, uint32_t group, const GroupState& state);
  bool restore_speaker(core::Instant now, uint32_t group, const SpeakerDetector::State& state);
  /// That source, when it is of this kind, was bound to this group and has not been given to one.
  Source* claim(SourceIndex source, SourceKind kind, uint32_t group);

  Tables& t_;
  Switchboard& switchboard_;
  std::vector<PlacedTalker> talkers_;  ///< scratch of place()
};

}  // namespace huitang::sfu
