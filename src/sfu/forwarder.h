// The forwarding brain of one worker: which packet goes to whom, under which numbers.
//
// Fed by the worker with opened media packets, parsed RTCP and the commands of serve; gives packets to seal,
// sender reports, requests to senders, and events. Sans-IO; one thread. Left out: SRTP, transport-wide
// numbers, bandwidth estimation (`bwe`), pacing, SDES (the worker's and `peer`'s). RFC 3550 section 7 (it is a
// translator that contributes CSRCs), RFC 4585 and 5104 (feedback), RFC 4588 (RTX), RFC 6464 (levels), RFC
// 2198 (RED), RFC 7741 (VP8).
//
// A turn of the worker:
//
//   batch.clear();
//   for each datagram: handle_media / handle_nack / …     (append to batch)
//   if (deadline() <= now) handle_timeout(now, batch);
//   seal and send the batch;  slab.reclaim();
//   while (auto r = poll_request()) …;  while (auto e = poll_event()) …;
//
// Commands may come at any point of a turn. After warm-up handle_media allocates nothing.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "core/random.h"
#include "core/time.h"
#include "rtp/ntp_time.h"
#include "sfu/types.h"

namespace huitang::sfu {

struct ForwarderConfig {
  uint32_t history_packets = 8192;  ///< cap over all sources of this worker; must be below the slab's size
  core::Duration history_age = core::Duration::millis(1000);
  uint32_t max_sources = 4096;
  uint32_t max_receivers = 4096;
  uint32_t max_groups = 4096;
  uint32_t max_requests = 2048;  ///< waiting to be polled; more are dropped and counted
  uint32_t max_events = 1024;
  uint32_t max_shows = 1024;
};

struct ForwarderCounters {
  uint64_t packets_in = 0;
  uint64_t packets_out = 0;
  uint64_t dropped_muted = 0;      ///< source not forwarded
  uint64_t dropped_unknown = 0;    ///< no such source or layer, or a format that does not fit its kind
  uint64_t dropped_duplicate = 0;  ///< seen before, or too old to tell
  uint64_t dropped_malformed = 0;  ///< codec header not understood
  uint64_t not_heard = 0;          ///< microphones outside the top N
  uint64_t source_restarts = 0;    ///< jumps of numbers taken as a new stream
  uint64_t switches = 0;           ///< runs begun on video and share slots
  uint64_t key_frames_in = 0;
  uint64_t key_frame_requests = 0;   ///< sent upstream
  uint64_t key_frame_asks = 0;       ///< PLI and FIR from receivers
  uint64_t key_frame_asks_held = 0;  ///< of these, not passed on because of throttling
  uint64_t nacks_in = 0;             ///< numbers asked for by receivers
  uint64_t rtx_out = 0;
  uint64_t nacks_missed = 0;    ///< not in the history (any more), or never sent
  uint64_t nacks_refused = 0;   ///< over a limit
  uint64_t upstream_nacks = 0;  ///< numbers asked from senders
  uint64_t red_made = 0;
  uint64_t red_unwrapped = 0;
  uint64_t requests_dropped = 0;  ///< queue to the worker full
  uint64_t events_dropped = 0;
  uint64_t shows_dropped = 0;
  uint64_t talkers_without_slot = 0;
  friend bool operator==(const ForwarderCounters&, const ForwarderCounters&) = default;
};

/// What a source looks like now; for snapshots and tests.
struct SourceSnapshot {
  SourceBinding binding;
  uint8_t flowing_layers = 0;
  struct Layer {
    uint16_t width = 0;
    uint16_t height = 0;
    uint64_t packets = 0;
    uint64_t bytes = 0;
    uint32_t forwarded_to = 0;
    uint32_t waiting = 0;  ///< slots that wait for a key frame here
    bool demanded = true;  ///< as its sender was told
  };
  std::array<Layer, kMaxLayers> layers{};
};
struct SlotSnapshot {
  SlotUse use = SlotUse::Video;
  uint16_t index = 0;
  SourceNumber wanted;   ///< 0: nothing
  SourceNumber showing;  ///< 0: nothing
  uint8_t layer = 0;
  uint64_t packets = 0;
};

/// What there is at the moment: gauges, and for telling that nothing is left.
struct ForwarderSizes {
  size_t sources = 0;
  size_t owners = 0;  ///< of sources
  size_t receivers = 0;
  size_t slots = 0;
  size_t groups = 0;
  size_t history = 0;  ///< packets kept for retransmission
  size_t resting = 0;  ///< layers that nobody watches: their senders were asked to pause them
  size_t tables = 0;   ///< places in all tables, free ones too: follows the most there ever was at once
};

struct ForwarderState;  // state.h

class Forwarder {
 public:
  /// `clock` gives the NTP time of sender reports: one for all streams of the worker.
  Forwarder(const ForwarderConfig& config, rtp::NtpClock clock, PacketSlab& slab, core::Random& random);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Commands. Each takes effect at once; what leaves because of it leaves with the next packets.

  /// A peer that receives, or the new slot table of a known one (growth: slots that were there keep their
  /// position and ssrc and play on). Nothing is forwarded to it before set_receiver_ready(true). Absent: a
  /// cap was reached.
  std::optional<ReceiverIndex> add_receiver(core::Instant now, const ReceiverConfig& config);
  /// The peer's transport can (or can no longer) carry media. Key frames are asked for when it can.
  void set_receiver_ready(core::Instant now, ReceiverIndex receiver, bool ready);
  /// What its pictures together may take; what sound needs has been subtracted. Absent: whatever their sizes
  /// need. Cheap: for each new estimate.
  void set_receiver_budget(core::Instant now, ReceiverIndex receiver, std::optional<core::Bitrate> budget);
  ReceiverDemand demand(ReceiverIndex receiver) const;
  void remove_receiver(core::Instant now, ReceiverIndex receiver);
  std::optional<ReceiverIndex> find_receiver(PeerId peer) const;

  /// Binds, or changes `forwarded` or `group` of a bound source. Invalid handle: a cap was reached or number
  /// 0.
  SourceHandle bind_source(core::Instant now, const SourceBinding& binding);
  void unbind_source(core::Instant now, SourceNumber number);
  SourceHandle find_source(SourceNumber number) const;

  void set_group(core::Instant now, const GroupConfig& config);
  void close_group(core::Instant now, GroupId group);
  /// Whole each time: video and share slots not named show nothing. False: no such receiver.
  bool set_view(core::Instant now, PeerId peer, std::span<const SlotView> slots);

  /// Of all receivers. Pictures that come back wait for a key frame.
  void set_video_service(core::Instant now, VideoService service);

  // Media and feedback.

  void handle_media(core::Instant now, const MediaPacket& packet, Batch& out);
  /// SR of a source's layer.
  void handle_sender_report(core::Instant now, SourceHandle source, uint8_t layer,
                            const rtp::SenderInfo& info);
  /// Round trip between node and the peer that sends this source, for the pace of NACKs.
  void set_source_round_trip(SourceHandle source, core::Duration rtt);
  /// NACK about one of the receiver's slots.
  void handle_nack(core::Instant now, ReceiverIndex receiver, uint32_t media_ssrc,
                   std::span<const uint16_t> numbers, Batch& out);
  /// PLI or FIR about one of the receiver's slots.
  void handle_key_frame_ask(core::Instant now, ReceiverIndex receiver, uint32_t media_ssrc);
  void set_receiver_round_trip(ReceiverIndex receiver, core::Duration rtt);

  void handle_timeout(core::Instant now, Batch& out);
  /// None while there is nothing to watch over.
  std::optional<core::Instant> deadline() const;

  std::optional<Request> poll_request();
  std::optional<Event> poll_event();
  std::optional<SlotShows> poll_shows();

  /// All that a successor needs so that no receiver notices the change (state.h). Between two turns, with
  /// requests and events polled.
  ForwarderState export_state(core::Instant now) const;
  /// Goes on where `state` stopped: on a forwarder just constructed. Handles and ReceiverIndex values stay
  /// valid, key frames that were waited for are asked for again. False for what no forwarder exports, for
  /// caps exceeded or another NtpClock: then this one is as just constructed.
  bool restore(core::Instant now, const ForwarderState& state);

  const ForwarderCounters& counters() const;
  ForwarderSizes sizes() const;
  std::vector<SourceSnapshot> snapshot_sources() const;
  std::vector<SlotSnapshot> snapshot_slots(ReceiverIndex receiver) const;
  bool is_consistent() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace huitang::sfu
