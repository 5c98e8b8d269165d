// How much may be sent on one transport: send-side bandwidth estimation from transport-wide feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01), after Google Congestion Control
// (draft-ietf-rmcat-gcc-02; Carlucci et al., "Analysis and Design of the Google Congestion Control for
// WebRTC").
//
// The worker tells of each packet that leaves (handle_sent), of each feedback, of what would be useful
// (set_demand), and asks for estimates and probes. Two bounds make the target: delay (does a queue grow?) and
// loss (does loss grow with the rate?). Left out: pacing and padding themselves, division among streams.
//
// Feedback is foreign: numbers never sent, repeated or reordered feedback and absurd times are counted and do
// no more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bwe/acknowledged_rate.h"
#include "bwe/delay_detector.h"
#include "bwe/estimate.h"
#include "bwe/loss_bound.h"
#include "bwe/path_delay.h"
#include "bwe/prober.h"
#include "bwe/rate_controller.h"
#include "bwe/sent_history.h"
#include "core/time.h"
#include "core/units.h"
#include "rtp/transport_feedback.h"

namespace huitang::bwe {

/// For hand-over to another process of this machine. Left behind: packets in flight (feedback about them is
/// feedback about unknown numbers to the successor) and a probe under way.
struct SendSideState {
  bool started = false;                           ///< feedback has come
  core::Bitrate target, delay_bound, loss_bound;  ///< a bound of zero: none
  core::Bitrate link_capacity;                    ///< zero: unknown
  double link_deviation = 0;                      ///< of the capacity, relative
  double inherent_loss = 0;
  core::Duration round_trip;
  core::Duration delay_threshold;
  uint16_t last_cluster = 0;
  uint64_t feedbacks = 0, unknown = 0, duplicates = 0, probes = 0;
};

class SendSideEstimator {
 public:
  struct Config {
    core::Bitrate start = core::Bitrate::kbps(600);
    core::Bitrate min = core::Bitrate::kbps(40);
    core::Bitrate max = core::Bitrate::kbps(20'000);
  };

  SendSideEstimator(core::Instant now, Config config);

  /// Each packet that carries a number, in the order of the numbers. Nanoseconds; allocates only while the
  /// path's packets in flight grow beyond what they were before.
  void handle_sent(core::Instant now, const SentPacket& packet) { handle_sent(now, std::span(&packet, 1)); }
  void handle_sent(core::Instant now, std::span<const SentPacket> packets);

  /// Drain poll_event and poll_probe after each of these.
  void handle_feedback(core::Instant now, const rtp::TransportFeedbackView& feedback);
  /// From RTCP or connectivity checks. Without, the feedback's own is taken, which is a little longer.
  void handle_round_trip(core::Instant now, core::Duration round_trip);
  /// The path is another one (ICE restart, another pair): what was learnt is void.
  void handle_network_change(core::Instant now);
  void handle_timeout(core::Instant now);
  void set_demand(core::Instant now, const Demand& demand);

  /// The newest estimate when it differs from the one polled before.
  std::optional<Estimate> poll_event();
  std::optional<ProbePlan> poll_probe();
  std::optional<core::Instant> deadline() const;

  const Estimate& estimate() const { return estimate_; }
  /// At which a backlog should leave: above the target, so that a key frame does not wait for its average.
  core::Bitrate pacing_rate() const;

  struct Snapshot {
    Estimate estimate;
    core::Bitrate acknowledged;  ///< what arrives
    core::Bitrate delay_bound, loss_bound;
    core::Duration queueing;  ///< one-way delay above the least seen lately
    core::Duration jitter;    ///< mean change of delay from one group of packets to the next
    core::ByteCount in_flight;
    uint64_t feedbacks = 0;
    uint64_t unknown = 0;     ///< statuses of numbers that are not in flight
    uint64_t duplicates = 0;  ///< arrivals told before
    uint64_t probes = 0;
    uint64_t overuses = 0;
    uint64_t silences = 0;
  };
  Snapshot snapshot() const;

  SendSideState export_state() const;
  /// Once, before anything else: goes on where another process stopped. False when the state contradicts itself.
  bool restore(core::Instant now, const SendSideState& state);
  bool is_consistent() const;

 private:
  /// What one feedback says of one packet.
  struct Arrival {
    PacketTiming timing;
    uint16_t bytes = 0;
    uint16_t probe_cluster = 0;
    bool is_assumed = false;  ///< its own feedback was lost
  };
  void follow_receiver_clock(core::Instant now, const rtp::TransportFeedbackView& f);
  core::Instant to_arrival(core::Duration since_zero) const;
  void take_statuses(core::Instant now, const rtp::TransportFeedbackView& f);
  void assume_untold(core::Instant now, const rtp::TransportFeedbackView& f);
  void take_arrivals(core::Instant now);
  void judge_losses(uint16_t last_told);
  void update(core::Instant now);
  void take_probe_results(core::Instant now);
  void measure_sent_rate(core::Instant now);
  void publish(core::Instant now);
  void forget_path();
  Prober::Situation situation(core::Instant now) const;
  std::optional<core::Bitrate> carried() const;
  core::Duration queueing(core::Instant now) const;
  Usage usage(core::Instant now) const;
  core::Duration silence_limit() const;
  LimitedBy limit(core::Instant now, core::Bitrate target) const;

  Config config_;
  SentHistory history_;
  DelayDetector detector_;
  AcknowledgedRate acknowledged_;
  PathDelay path_delay_;
  RateController controller_;
  LossBound loss_;
  Prober prober_;
  std::optional<Demand> demand_;
  std::vector<Arrival> arrivals_;  ///< of the feedback at hand

  bool started_ = false;
  core::Instant last_now_;
  std::optional<core::Instant> unanswered_since_;  ///< the first packet after the last feedback left
  core::Instant backed_off_at_;
  bool is_silent_ = false;
  core::Duration round_trip_;
  bool has_own_round_trip_ = false;  ///< told by others than feedback
  core::Duration reordering_ = core::Duration::millis(100);
  core::Instant newest_received_sent_;

  // The receiver's clock, unwrapped; it goes on where it was when the receiver's steps.
  std::optional<int32_t> last_reference_;
  int64_t clock_units_ = 0;
  core::Instant last_feedback_at_;
  uint8_t last_feedback_count_ = 0;
  int64_t next_told_ = 0;

  int64_t sent_bytes_ = 0;
  core::Instant sent_measured_at_;
  core::Bitrate sent_rate_;

  Estimate estimate_;
  Estimate told_;
  Snapshot counters_;
};

}  // namespace huitang::bwe
