// What a Forwarder hands to its successor, so that every outgoing stream goes on as one unbroken stream.
//
// Plain values without pointers; sources are named by their index in the table, everything else by its id.
// The shell that moves the state to another process decides on the bytes; visit_fields (state_fields.h) lists
// each field once with a number of its own. Instants are of the machine's monotonic clock, which both
// processes share. Left behind: payloads (histories for retransmission, the frame that RED repeats), so a
// NACK about a packet from before counts as missed; how often single packets were asked for; requests and
// events that nobody polled.
//
// The sequence numbers here are extended: of an incoming stream as ReceiveWindow counts, of an outgoing one
// the 48 bits that SRTP seals with. The successor must be given the NtpClock of its predecessor
// (`clock_instant`, `clock_ntp`), or sender reports would leap: restore() refuses another.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "rtp/nack_tracker.h"
#include "rtp/ntp_time.h"
#include "sfu/forwarder.h"
#include "sfu/key_frame_requester.h"
#include "sfu/receive_window.h"
#include "sfu/retransmit_limiter.h"
#include "sfu/source_clock.h"
#include "sfu/speaker_detector.h"
#include "sfu/talker_selector.h"

namespace huitang::sfu {

inline constexpr uint32_t kNone = 0xffffffff;
using SourceIndex = uint32_t;

struct LayerRef {
  SourceIndex source = kNone;
  uint8_t layer = 0;
  bool is_set() const { return source != kNone; }
  friend bool operator==(const LayerRef&, const LayerRef&) = default;
};

/// What a run adds to the numbers of its source (all modulo the width of the field).
struct Shifts {
  int64_t sequence = 0;
  uint32_t timestamp = 0;  ///< ticks of the stream's rate
  uint16_t picture_id = 0;
  uint8_t tl0 = 0;
  friend bool operator==(const Shifts&, const Shifts&) = default;
};

/// A stretch of an outgoing stream taken from one source layer (tables.h).
struct Run {
  LayerRef from;
  SourceNumber number;  ///< of `from`, whose index may have been given to another since
  Shifts shifts;
  int64_t first = 0;  ///< outgoing number of its first packet
  int64_t end = 0;    ///< one past its last; of the current run: not yet known
  friend bool operator==(const Run&, const Run&) = default;
};

/// An incoming stream: one layer of a source.
struct LayerState {
  ReceiveWindow::State window;
  SourceClock::State clock;
  KeyFrameRequester::State key_frames;
  std::optional<rtp::NackTracker::State> nacks;  ///< video that something came of

  // Of the packet with the highest number so far.
  int64_t highest_sequence = 0;  ///< extended; 0: none since the stream (re)started
  uint32_t highest_timestamp = 0;
  core::Instant highest_at;        ///< of its arrival
  int64_t highest_picture_id = 0;  ///< extended beyond 15 bits
  uint8_t highest_tl0 = 0;
  bool has_picture_id = false;

  PayloadFormat format = PayloadFormat::Vp8;
  uint16_t width = 0;  ///< pixels, 0 until a key frame told
  uint16_t height = 0;
  bool is_flowing = false;
  bool is_demanded = false;     ///< as the sender was told last
  core::Instant last_packet;    ///< of any kind
  core::Instant demanded_last;  ///< when somebody last watched
  uint64_t packets = 0;         ///< taken in
  uint64_t bytes = 0;           ///< their payloads
  int64_t rate = 0;             ///< bits per second as allocations know it; 0: not known
  friend bool operator==(const LayerState&, const LayerState&) = default;
};

struct SourceState {
  SourceIndex index = 0;  ///< in the table; handles stay valid
  SourceBinding binding;
  uint8_t layer_count = 1;         ///< highest seen + 1
  uint8_t flowing_layers = 0;      ///< a bit per layer
  std::vector<LayerState> layers;  ///< from layer 0; those behind the last are as new
  friend bool operator==(const SourceState&, const SourceState&) = default;
};

/// Who sends sources, and his clock.
struct OwnerState {
  PeerId peer;
  OwnerClock::State clock;
  friend bool operator==(const OwnerState&, const OwnerState&) = default;
};

/// An outgoing stream and what it shows.
struct SlotState {
  SlotConfig config;

  // Video and share: what serve wants (SlotView).
  enum class Shown : uint8_t { Nothing, Source, Speaker };
  Shown shown = Shown::Nothing;
  uint64_t shown_id = 0;  ///< SourceNumber or GroupId
  uint16_t width = 0;     ///< device pixels, 0 = not said
  uint16_t height = 0;
  uint8_t priority = 0;
  SourceIndex target = kNone;               ///< what that comes down to
  std::optional<core::Instant> hold_until;  ///< the old picture goes on until then at most
  bool is_allotted = false;                 ///< by the last decision within the receiver's budget …
  uint8_t allotted_layer = 0;               ///< … this layer

  LayerRef current;           ///< forwarded now: of the last run
  LayerRef waiting;           ///< begins there with a key frame
  std::vector<Run> runs;      ///< the last few, oldest first; each begins where the one before ended
  uint32_t report_at = 0;     ///< next sender report: milliseconds of the monotonic clock modulo 2^32
  uint8_t quick_reports = 0;  ///< how many of them still follow each other quickly
  std::optional<core::Instant> last_ask;  ///< PLI of the receiver that was passed on

  // The stream up to the end of the last run that ended; with `current` set its own run begins there.
  bool has_sent = false;
  int64_t next_sequence = 0;             ///< 48 bits
  int64_t next_rtx_sequence = 0;         ///< 48 bits, of the retransmission stream
  uint32_t last_timestamp = 0;           ///< ticks
  core::Instant last_at;                 ///< when the packet of last_timestamp came in
  std::optional<rtp::NtpTime> last_ntp;  ///< of last_timestamp on the sender's clock
  SourceNumber last_source;
  uint16_t next_picture_id = 0;  ///< 15 bits
  uint8_t next_tl0 = 0;
  uint64_t packets = 0;       ///< as sender reports count, without the current run
  uint64_t octets = 0;        ///< likewise
  uint64_t packets_base = 0;  ///< LayerState::packets when the current run began
  uint64_t octets_base = 0;   ///< LayerState::bytes likewise
  friend bool operator==(const SlotState&, const SlotState&) = default;
};

struct ReceiverState {
  ReceiverIndex index;
  PeerId peer;
  bool is_ready = false;
  RetransmitLimiter::State limiter;
  std::vector<GroupId> groups;    ///< in which it listens, in the order of their right to audio slots
  std::vector<SlotState> slots;   ///< ForwardedPacket::slot is the position here
  std::optional<int64_t> budget;  ///< bits per second of its pictures; absent: unlimited
  friend bool operator==(const ReceiverState&, const ReceiverState&) = default;
};

struct GroupState {
  GroupId id;
  bool is_set = false;            ///< by serve; else it exists for its sources only
  std::vector<PeerId> listeners;  ///< with or without a receiver
  std::vector<SourceNumber> always_heard;
  TalkerSelector::State talkers;
  SpeakerDetector::State speaker;
  std::vector<SourceIndex> cameras;        ///< in the order in which they were bound
  std::vector<SourceIndex> screen_audios;  ///< likewise
  // The last GroupSpeakers event.
  SourceNumber told_active;
  std::vector<SourceNumber> told_talkers;
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

struct ForwarderState {
  core::Instant clock_instant;  ///< rtp::NtpClock(clock_instant, clock_ntp) is the forwarder's clock
  rtp::NtpTime clock_ntp;
  std::optional<core::Instant> next_tick;
  std::optional<core::Instant> nack_deadline;
  std::vector<SourceState> sources;      ///< ascending by index
  std::vector<OwnerState> owners;        ///< one for each owner of a source
  std::vector<ReceiverState> receivers;  ///< ascending by index
  std::vector<GroupState> groups;
  VideoService video_service = VideoService::Full;
  ForwarderCounters counters;
  friend bool operator==(const ForwarderState&, const ForwarderState&) = default;
};

}  // namespace huitang::sfu
