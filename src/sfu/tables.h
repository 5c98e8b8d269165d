// The data that the parts of the Forwarder share: sources with their layers, receivers with their slots,
// groups.
//
//   Source ── SourceLayer ─┬─ forwarding: Subscription[]   (copies leave in this order; read-only while
//   fanning out)
//                          └─ waiting: SlotId[]            (slots that begin with the next key frame)
//   Receiver ── Slot[] ─── a view, an outgoing stream, its current run
//   Group ── microphones (TalkerSelector), speaker, cameras, listeners
//
// Who changes what: Switchboard alone touches forwarding, waiting and runs; VideoDirector the wanted source
// of a slot; AudioMixer groups' talkers and audio slots; the Forwarder the rest.
//
// A *run* is a stretch of an outgoing stream taken from one source layer. Inside it every number of the
// stream is that of the source plus a constant, so forwarding writes no per-receiver state at all: what was
// sent last follows from the layer, and what a receiver saw as number n is found through the run it fell
// into.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "rtp/nack_tracker.h"
#include "sfu/allocator.h"
#include "sfu/audio_placement.h"
#include "sfu/bounded_queue.h"
#include "sfu/forwarder.h"
#include "sfu/key_frame_requester.h"
#include "sfu/layer_meter.h"
#include "sfu/packet_history.h"
#include "sfu/receive_window.h"
#include "sfu/retransmit_limiter.h"
#include "sfu/source_clock.h"
#include "sfu/speaker_detector.h"
#include "sfu/state.h"
#include "sfu/talker_selector.h"

namespace huitang::sfu {

using SlotId = uint32_t;

/// One receiver of a layer, as the fan-out loop reads it.
struct Subscription {
  Shifts shifts;
  int64_t first_sequence = 0;  ///< the source's; earlier packets do not belong to the run
  SlotId slot_id = 0;
  ReceiverIndex receiver;
  uint32_t ssrc = 0;
  uint32_t report_at = 0;  ///< milliseconds of the worker's clock, wrapping
  uint16_t slot = 0;
  PayloadTypes payload_types{};
  uint8_t quick_reports = 0;  ///< how many sender reports still follow each other quickly
};

/// What one packet of a source means, read once however many get it.
struct PacketFacts {
  int64_t sequence = 0;
  uint32_t timestamp = 0;
  PayloadFormat format = PayloadFormat::Vp8;
  bool marker = false;
  bool is_key_frame_start = false;  ///< audio: always
  uint16_t width = 0;
  uint16_t height = 0;
  bool has_picture_id = false;
  bool has_tl0 = false;
  int64_t picture_id = 0;  ///< extended
  uint8_t tl0 = 0;
};

struct SourceLayer {
  explicit SourceLayer(uint32_t clock_rate) : clock(clock_rate) {}

  ReceiveWindow window;
  SourceClock clock;
  KeyFrameRequester key_frames;
  std::unique_ptr<rtp::NackTracker> nacks;             ///< video, from the first packet on
  std::unique_ptr<PacketHistory::LayerIndex> history;  ///< likewise
  std::vector<Subscription> forwarding;
  std::vector<SlotId> waiting;

  // Of the packet with the highest number so far.
  int64_t highest_sequence = 0;
  uint32_t highest_timestamp = 0;
  core::Instant highest_at;
  int64_t highest_picture_id = 0;
  uint8_t highest_tl0 = 0;
  bool has_picture_id = false;

  PayloadFormat format = PayloadFormat::Vp8;
  uint16_t width = 0;
  uint16_t height = 0;
  bool is_flowing = false;
  bool is_demanded = false;
  core::Instant last_packet;
  core::Instant demanded_last;
  uint64_t packets = 0;
  uint64_t bytes = 0;
  LayerMeter meter;  ///< video
};

/// The last plain Opus frame of a source, for making RED.
struct LastFrame {
  PayloadRef payload;  ///< its buffer is retained while has_buffer()
  uint32_t timestamp = 0;
  int64_t sequence = 0;
};

struct Source {
  Source(const SourceBinding& b, uint32_t clock_rate)
      : binding(b),
        layers{SourceLayer(clock_rate), SourceLayer(clock_rate), SourceLayer(clock_rate),
               SourceLayer(clock_rate)} {}

  SourceBinding binding;
  std::array<SourceLayer, kMaxLayers> layers;
  uint8_t layer_count = 1;             ///< highest seen + 1
  uint8_t flowing_layers = 0;          ///< bits
  std::optional<uint8_t> told_demand;  ///< the last LayerDemand
  uint32_t group = kNone;              ///< index
  uint32_t member = kNone;             ///< microphones: position in the group's TalkerSelector
  OwnerClock* owner_clock = nullptr;
  LastFrame last_frame;

  /// Layers that it has or may have.
  size_t known_layers() const { return std::min(kMaxLayers, std::max<size_t>(binding.layers, layer_count)); }
};

struct Slot {
  static constexpr size_t kRuns = 4;

  SlotConfig config;
  ReceiverIndex receiver;
  uint16_t position = 0;  ///< in the receiver's table

  // Video and share: what serve wants, and the source that this comes down to.
  SlotView view;
  SourceIndex target = kNone;
  std::optional<core::Instant> hold_until;  ///< the old picture goes on until then at most
  PictureAllocation allocation;             ///< while its receiver has a budget
  SourceNumber paused_source;               ///< for want of bandwidth, as was told last; 0: none

  LayerRef current;               ///< forwarding now
  uint32_t place = 0;             ///< of the Subscription in current's forwarding
  LayerRef waiting;               ///< begins there with a key frame
  std::array<Run, kRuns> runs{};  ///< the latest is runs[run_count % kRuns - 1]
  uint32_t run_count = 0;
  std::optional<core::Instant> last_ask;  ///< PLI of the receiver that was passed on

  // The outgoing stream up to the end of the last run.
  bool has_sent = false;
  int64_t next_sequence = 0;
  int64_t next_rtx_sequence = 0;
  uint32_t last_timestamp = 0;
  core::Instant last_at;
  std::optional<rtp::NtpTime> last_ntp;  ///< of last_timestamp on the source's clock
  SourceNumber last_source;
  uint16_t next_picture_id = 0;
  uint8_t next_tl0 = 0;
  uint64_t packets = 0;
  uint64_t octets = 0;
  uint64_t packets_base = 0;  ///< the layer's counters when the run began
  uint64_t octets_base = 0;

  Run& latest_run() { return runs[(run_count - 1) % kRuns]; }
  const Run& latest_run() const { return runs[(run_count - 1) % kRuns]; }
};

struct Receiver {
  PeerId peer;
  bool is_ready = false;
  bool is_audio_stale = false;  ///< its audio slots must be placed anew
  std::vector<SlotId> slots;
  std::vector<SlotId> audio_slots;         ///< by index
  std::vector<SlotId> paired_video_slots;  ///< by index, at most kPairedSlots
  std::vector<uint32_t> groups;            ///< in which it listens
  std::unique_ptr<RetransmitLimiter> limiter;
  std::optional<core::Bitrate> budget;  ///< of its pictures together; absent: unlimited
  ReceiverDemand allotted;              ///< what the last decision within the budget came to
};

struct Group {
  GroupId id;
  bool is_set = false;   ///< by serve; else it exists for its sources only
  uint32_t sources = 0;  ///< bound to it
  std::vector<PeerId> listeners;
  std::vector<ReceiverIndex> receivers;  ///< of the listeners, those that exist
  std::vector<SourceNumber> always_heard;
  TalkerSelector talkers;
  SpeakerDetector speaker;
  std::vector<SourceIndex> cameras;
  std::vector<SourceIndex> screen_audios;
  GroupSpeakers told;              ///< the last event
  std::vector<SourceIndex> heard;  ///< all that listeners get, in order of right to a slot
};

/// Constants and outputs that all parts need, and the tables.
struct Tables {
  Tables(const ForwarderConfig& c, rtp::NtpClock ntp, PacketSlab& s, core::Random& r)
      : config(c),
        clock(ntp),
        slab(s),
        random(r),
        history(s, c.history_packets, c.history_age),
        requests(c.max_requests),
        events(c.max_events),
        shows(c.max_shows) {}

  const ForwarderConfig config;
  const rtp::NtpClock clock;
  PacketSlab& slab;
  core::Random& random;
  PacketHistory history;

  std::vector<std::unique_ptr<Source>> sources;  ///< by index; null = free
  std::unordered_map<SourceNumber, SourceIndex> source_by_number;
  struct Owner {
    OwnerClock clock;
    uint32_t sources = 0;
  };
  std::unordered_map<PeerId, Owner> owners;
  std::vector<std::unique_ptr<Receiver>> receivers;  ///< by index; null = free
  std::unordered_map<PeerId, ReceiverIndex> receiver_by_peer;
  std::vector<Slot> slots;
  std::vector<SlotId> free_slots;
  std::vector<std::unique_ptr<Group>> groups;  ///< by index; null = free
  std::unordered_map<GroupId, uint32_t> group_by_id;

  std::vector<ReceiverIndex> stale_audio;  ///< receivers with is_audio_stale

  ForwarderCounters counters;
  BoundedQueue<Request> requests;
  BoundedQueue<Event> events;
  BoundedQueue<SlotShows> shows;
  VideoService video_service = VideoService::Full;

  Source* find(SourceHandle h) {
    if (h.index >= sources.size() || sources[h.index] == nullptr) return nullptr;
    Source* s = sources[h.index].get();
    return s->binding.number == h.number ? s : nullptr;
  }
  Receiver* find(ReceiverIndex r) {
    return r.value() < receivers.size() ? receivers[r.value()].get() : nullptr;
  }
  const Receiver* find(ReceiverIndex r) const {
    return r.value() < receivers.size() ? receivers[r.value()].get() : nullptr;
  }
  SourceLayer& layer(LayerRef ref) { return sources[ref.source]->layers[ref.layer]; }
  const SourceLayer& layer(LayerRef ref) const { return sources[ref.source]->layers[ref.layer]; }

  void mark_audio_stale(ReceiverIndex r) {
    Receiver* receiver = find(r);
    if (receiver == nullptr || receiver->is_audio_stale) return;
    receiver->is_audio_stale = true;
    stale_audio.push_back(r);
  }
  bool is_paused_by_load(const Slot& slot) const {
    return video_service == VideoService::Paused && slot.config.use == SlotUse::Video;
  }
  ShownSize shown_size(const Slot& slot) const {
    if (video_service != VideoService::Full) return {1, 1};
    return {slot.view.width, slot.view.height};
  }
  void request(const Request& r) { counters.requests_dropped += !requests.push(r); }
  /// False: there was no room.
  bool tell(const Event& e) {
    const bool has_room = events.push(e);
    counters.events_dropped += !has_room;
    return has_room;
  }
};

}  // namespace huitang::sfu
