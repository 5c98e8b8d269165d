// Each field of a ForwarderState, once, with its number: for shells that write it as bytes, and for tests.
//
// visit_fields(v, value) calls v(number, field) for each field of the struct in ascending order. A visitor
// meets booleans, integers of all widths, float and double, enums, core::Instant and Duration, rtp::NtpTime,
// core::Id, std::array and std::vector of these and of structs, std::optional of a plain value or a struct,
// and structs, into which it goes by visit_fields again. The numbers are those of a wire format: a field that
// went keeps its number free, a new one takes the next; a reader skips numbers that it does not know, and
// fields that it does not find stay as new.
#pragma once

#include <concepts>
#include <type_traits>

#include "sfu/state.h"

namespace huitang::sfu {

/// T or const T.
template <class S, class T>
concept MaybeConst = std::same_as<std::remove_const_t<S>, T>;

void visit_fields(auto& v, MaybeConst<ReceiveWindow::State> auto& s) {
  v(1, s.has_started);
  v(2, s.highest);
  v(3, s.after_jump);
  v(4, s.seen);
}

void visit_fields(auto& v, MaybeConst<SourceClock::State> auto& s) {
  v(1, s.is_known);
  v(2, s.ntp);
  v(3, s.timestamp);
}

void visit_fields(auto& v, MaybeConst<OwnerClock::State> auto& s) {
  v(1, s.is_known);
  v(2, s.offset);
}

void visit_fields(auto& v, MaybeConst<KeyFrameRequester::State> auto& s) {
  v(1, s.is_wanted);
  v(2, s.tries);
}

void visit_fields(auto& v, MaybeConst<rtp::NackTracker::Missing> auto& s) {
  v(1, s.number);
  v(2, s.noticed);
  v(3, s.next);
  v(4, s.tries);
}

void visit_fields(auto& v, MaybeConst<rtp::NackTracker::State> auto& s) {
  v(1, s.round_trip);
  v(2, s.has_started);
  v(3, s.last);
  v(4, s.highest);
  v(5, s.missing);
  v(6, s.has_given_up);
  v(7, s.requested);
  v(8, s.recovered);
  v(9, s.given_up);
  v(10, s.resets);
}

void visit_fields(auto& v, MaybeConst<LayerState> auto& s) {
  v(1, s.window);
  v(2, s.clock);
  v(3, s.key_frames);
  v(4, s.nacks);
  v(5, s.highest_sequence);
  v(6, s.highest_timestamp);
  v(7, s.highest_at);
  v(8, s.highest_picture_id);
  v(9, s.highest_tl0);
  v(10, s.has_picture_id);
  v(11, s.format);
  v(12, s.width);
  v(13, s.height);
  v(14, s.is_flowing);
  v(15, s.is_demanded);
  v(16, s.last_packet);
  v(17, s.demanded_last);
  v(18, s.packets);
  v(19, s.bytes);
  v(20, s.rate);
}

void visit_fields(auto& v, MaybeConst<SourceBinding> auto& s) {
  v(1, s.number);
  v(2, s.owner);
  v(3, s.kind);
  v(4, s.group);
  v(5, s.forwarded);
  v(6, s.layers);
}

void visit_fields(auto& v, MaybeConst<SourceState> auto& s) {
  v(1, s.index);
  v(2, s.binding);
  v(3, s.layer_count);
  v(4, s.flowing_layers);
  v(5, s.layers);
}

void visit_fields(auto& v, MaybeConst<OwnerState> auto& s) {
  v(1, s.peer);
  v(2, s.clock);
}

void visit_fields(auto& v, MaybeConst<SlotConfig> auto& s) {
  v(1, s.use);
  v(2, s.index);
  v(3, s.ssrc);
  v(4, s.rtx_ssrc);
  v(5, s.payload_types);
  v(6, s.rtx_payload_types);
}

void visit_fields(auto& v, MaybeConst<LayerRef> auto& s) {
  v(1, s.source);
  v(2, s.layer);
}

void visit_fields(auto& v, MaybeConst<Shifts> auto& s) {
  v(1, s.sequence);
  v(2, s.timestamp);
  v(3, s.picture_id);
  v(4, s.tl0);
}

void visit_fields(auto& v, MaybeConst<Run> auto& s) {
  v(1, s.from);
  v(2, s.number);
  v(3, s.shifts);
  v(4, s.first);
  v(5, s.end);
}

void visit_fields(auto& v, MaybeConst<SlotState> auto& s) {
  v(1, s.config);
  v(2, s.shown);
  v(3, s.shown_id);
  v(4, s.width);
  v(5, s.height);
  v(6, s.priority);
  v(7, s.target);
  v(8, s.hold_until);
  v(9, s.current);
  v(10, s.waiting);
  v(11, s.runs);
  v(12, s.report_at);
  v(13, s.quick_reports);
  v(14, s.last_ask);
  v(15, s.has_sent);
  v(16, s.next_sequence);
  v(17, s.next_rtx_sequence);
  v(18, s.last_timestamp);
  v(19, s.last_at);
  v(20, s.last_ntp);
  v(21, s.last_source);
  v(22, s.next_picture_id);
  v(23, s.next_tl0);
  v(24, s.packets);
  v(25, s.octets);
  v(26, s.packets_base);
  v(27, s.octets_base);
  v(28, s.is_allotted);
  v(29, s.allotted_layer);
}

void visit_fields(auto& v, MaybeConst<RetransmitLimiter::State> auto& s) {
  v(1, s.refilled);
  v(2, s.tokens);
  v(3, s.spacing);
}

void visit_fields(auto& v, MaybeConst<ReceiverState> auto& s) {
  v(1, s.index);
  v(2, s.peer);
  v(3, s.is_ready);
  v(4, s.limiter);
  v(5, s.groups);
  v(6, s.slots);
  v(7, s.budget);
}

void visit_fields(auto& v, MaybeConst<LevelMeter::State> auto& s) {
  v(1, s.fast);
  v(2, s.slow);
  v(3, s.last);
}

void visit_fields(auto& v, MaybeConst<TalkerSelector::MemberState> auto& s) {
  v(1, s.source);
  v(2, s.meter);
  v(3, s.is_talker);
  v(4, s.since);
  v(5, s.last_audible);
}

void visit_fields(auto& v, MaybeConst<TalkerSelector::State> auto& s) {
  v(1, s.members);
  v(2, s.top);
  v(3, s.weakest);
}

void visit_fields(auto& v, MaybeConst<SpeakerDetector::Speech> auto& s) {
  v(1, s.source);
  v(2, s.began);
  v(3, s.last_loud);
}

void visit_fields(auto& v, MaybeConst<SpeakerDetector::State> auto& s) {
  v(1, s.speeches);
  v(2, s.speakers);
  v(3, s.shown_since);
  v(4, s.has_active_left);
}

void visit_fields(auto& v, MaybeConst<GroupState> auto& s) {
  v(1, s.id);
  v(2, s.is_set);
  v(3, s.listeners);
  v(4, s.always_heard);
  v(5, s.talkers);
  v(6, s.speaker);
  v(7, s.cameras);
  v(8, s.screen_audios);
  v(9, s.told_active);
  v(10, s.told_talkers);
}

void visit_fields(auto& v, MaybeConst<ForwarderCounters> auto& s) {
  v(1, s.packets_in);
  v(2, s.packets_out);
  v(3, s.dropped_muted);
  v(4, s.dropped_unknown);
  v(5, s.dropped_duplicate);
  v(6, s.dropped_malformed);
  v(7, s.not_heard);
  v(8, s.source_restarts);
  v(9, s.switches);
  v(10, s.key_frames_in);
  v(11, s.key_frame_requests);
  v(12, s.key_frame_asks);
  v(13, s.key_frame_asks_held);
  v(14, s.nacks_in);
  v(15, s.rtx_out);
  v(16, s.nacks_missed);
  v(17, s.nacks_refused);
  v(18, s.upstream_nacks);
  v(19, s.red_made);
  v(20, s.red_unwrapped);
  v(21, s.requests_dropped);
  v(22, s.events_dropped);
  v(23, s.talkers_without_slot);
  v(24, s.shows_dropped);
}

void visit_fields(auto& v, MaybeConst<ForwarderState> auto& s) {
  v(1, s.clock_instant);
  v(2, s.clock_ntp);
  v(3, s.next_tick);
  v(4, s.nack_deadline);
  v(5, s.sources);
  v(6, s.owners);
  v(7, s.receivers);
  v(8, s.groups);
  v(9, s.counters);
  v(10, s.video_service);
}

}  // namespace huitang::sfu
