#include "bwe/send_side_estimator.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace huitang::bwe {

using core::Bitrate;
using core::ByteCount;
using core::Duration;
using core::Instant;

namespace {

// Feedback tells of at most this many numbers; more is not about what is in flight.
constexpr size_t kMaxStatuses = SentHistory::kMost;
constexpr int64_t kReferenceRange = int64_t{1} << 24;
constexpr Duration kMaxClockStep = Duration::seconds(10);
constexpr Duration kMostReordering = Duration::millis(500);

// Feedback comes every 50 to 100 ms; a lost one or two are no silence.
constexpr Duration kLeastSilence = Duration::millis(700);
constexpr double kSilenceBackOff = 0.7;

constexpr Duration kSentWindow = Duration::millis(300);
constexpr double kApplicationLimitedBelow = 0.7;
constexpr double kApplicationLimitedUntil = 0.85;

constexpr double kPacing = 1.5;
constexpr int64_t kJitters = 10;  // of observation to find quick packets among the slow ones
constexpr Duration kMuchJitter = Duration::millis(15);
constexpr double kJitterShare = 0.5;
constexpr Duration kLeastQueue = Duration::millis(8);
constexpr double kDrop = 0.66;         // a fall below this part is worth a try to get back soon
constexpr double kUsefulMargin = 1.1;  // a layer that just fits would be given up with the first noise
constexpr Duration kCalmAfterDecrease = Duration::seconds(1);
constexpr Duration kCapacityKnownFor = Duration::seconds(6);
constexpr double kMostCompensation = 0.25;
constexpr Duration kRoundTripMost = Duration::seconds(5);

}  // namespace

SendSideEstimator::SendSideEstimator(Instant now, Config config)
    : config_(config), controller_({config.start, config.min, config.max}), last_now_(now) {
  estimate_.target = config.start;
  told_ = estimate_;
  sent_measured_at_ = now;
}

void SendSideEstimator::handle_sent(Instant now, std::span<const SentPacket> packets) {
  if (packets.empty()) return;
  if (!unanswered_since_) unanswered_since_ = now;
  for (const SentPacket& p : packets) {
    history_.add(now, p);
    if (p.kind != PacketKind::Padding) sent_bytes_ += p.bytes;
  }
}

void SendSideEstimator::handle_feedback(Instant now, const rtp::TransportFeedbackView& f) {
  now = last_now_ = std::max(now, last_now_);
  ++counters_.feedbacks;
  if (f.status_count > kMaxStatuses) {
    counters_.unknown += f.status_count;
    return;
  }
  follow_receiver_clock(now, f);
  arrivals_.clear();
  assume_untold(now, f);
  take_statuses(now, f);
  if (arrivals_.empty()) return;  // about nothing that we know: neither news nor a sign of life
  take_arrivals(now);
  judge_losses(static_cast<uint16_t>(f.base_sequence + f.status_count - 1));
  started_ = true;
  last_feedback_at_ = now;
  unanswered_since_.reset();
  if (is_silent_) {
    is_silent_ = false;
    prober_.handle_drop(now);
  }
  update(now);
}

void SendSideEstimator::follow_receiver_clock(Instant now, const rtp::TransportFeedbackView& f) {
  if (!last_reference_) {
    last_reference_ = f.reference_time;
    return;
  }
  int64_t step = (int64_t{f.reference_time} - *last_reference_) % kReferenceRange;
  if (step >= kReferenceRange / 2) step -= kReferenceRange;
  if (step < -kReferenceRange / 2) step += kReferenceRange;
  last_reference_ = f.reference_time;
  const Duration off = rtp::kFeedbackReferenceUnit * step - (now - last_feedback_at_);
  if (off > kMaxClockStep || off < -kMaxClockStep) {
    detector_.reset();
    acknowledged_.reset();
    path_delay_.reset();
    step = std::clamp<int64_t>((now - last_feedback_at_) / rtp::kFeedbackReferenceUnit, 0, kReferenceRange);
  }
  clock_units_ += step;
}

Instant SendSideEstimator::to_arrival(Duration since_zero) const {
  return Instant() + (since_zero + rtp::kFeedbackReferenceUnit * (clock_units_ - *last_reference_));
}

void SendSideEstimator::take_statuses(Instant now, const rtp::TransportFeedbackView& f) {
  auto walker = f.walk();
  while (const auto status = walker.next()) {
    SentRecord* record = history_.find(now, status->sequence);
    if (record == nullptr) {
      ++counters_.unknown;
      continue;
    }
    if (!status->arrival) {
      history_.set_missing(*record);
      continue;
    }
    if (record->fate == Fate::Received) {
      ++counters_.duplicates;
      continue;
    }
    // Judged too early.
    if (record->fate == Fate::Lost) reordering_ = std::min(reordering_ * 3 / 2, kMostReordering);
    history_.set_received(*record);
    arrivals_.push_back(
        {{record->at, to_arrival(*status->arrival)}, record->bytes, record->probe_cluster, false});
  }
}

// When a feedback was lost, what it would have told most probably arrived like what came after it. Counting it
// as nothing would look like a link that became slow.
void SendSideEstimator::assume_untold(Instant now, const rtp::TransportFeedbackView& f) {
  const int64_t base = history_.unwrap(f.base_sequence);
  const auto count_step = static_cast<uint8_t>(f.feedback_count - last_feedback_count_);
  last_feedback_count_ = f.feedback_count;
  const int64_t untold = base - next_told_;
  next_told_ = std::max(base + f.status_count, next_told_ - static_cast<int64_t>(kMaxStatuses));
  if (!started_ || count_step < 2 || count_step > 16 || untold <= 0 || untold > 2000) return;
  auto walker = f.walk();
  std::optional<PacketTiming> first;
  while (const auto status = walker.next()) {
    const SentRecord* r = history_.find(now, status->sequence);
    if (r == nullptr || !status->arrival) continue;
    first = PacketTiming{r->at, to_arrival(*status->arrival)};
    break;
  }
  if (!first) return;
  for (int64_t n = base - untold; n < base; ++n) {
    const SentRecord* r = history_.find(now, static_cast<uint16_t>(n));
    if (r == nullptr || r->fate != Fate::InFlight || r->at > first->sent) continue;
    arrivals_.push_back({{r->at, first->arrival - (first->sent - r->at)}, r->bytes, 0, true});
  }
}

void SendSideEstimator::take_arrivals(Instant now) {
  std::stable_sort(arrivals_.begin(), arrivals_.end(),
                   [](const Arrival& a, const Arrival& b) { return a.timing.arrival < b.timing.arrival; });
  Duration least = Duration::max();
  Instant newest;
  for (const Arrival& a : arrivals_) {
    acknowledged_.handle_packet(a.timing, ByteCount(a.bytes));
    if (a.is_assumed) continue;
    detector_.handle_packet(a.timing);
    if (a.probe_cluster != 0) prober_.handle_received(a.timing, ByteCount(a.bytes), a.probe_cluster);
    least = std::min(least, a.timing.arrival - a.timing.sent);
    newest = std::max(newest, a.timing.sent);
  }
  if (least == Duration::max()) return;
  path_delay_.handle(now, least);
  newest_received_sent_ = std::max(newest_received_sent_, newest);
  if (has_own_round_trip_) return;
  const Duration sample = std::min(now - newest, kRoundTripMost);
  round_trip_ = round_trip_ == Duration() ? sample : round_trip_ + (sample - round_trip_) / 8;
}

void SendSideEstimator::judge_losses(uint16_t last_told) {
  history_.judge(newest_received_sent_ - reordering_, last_told, [&](const SentRecord& r) {
    if (r.fate != Fate::InFlight) loss_.handle_packet(r.at, ByteCount(r.bytes), r.fate == Fate::Missing);
  });
}

void SendSideEstimator::handle_round_trip(Instant now, Duration round_trip) {
  last_now_ = std::max(now, last_now_);
  if (round_trip < Duration() || round_trip > Duration::seconds(60)) return;
  const Duration sample = std::min(round_trip, kRoundTripMost);
  round_trip_ = has_own_round_trip_ ? round_trip_ + (sample - round_trip_) / 4 : sample;
  has_own_round_trip_ = true;
}

void SendSideEstimator::set_demand(Instant now, const Demand& demand) {
  now = last_now_ = std::max(now, last_now_);
  demand_ = demand;
  prober_.update(now, situation(now));
}

void SendSideEstimator::handle_network_change(Instant now) {
  now = last_now_ = std::max(now, last_now_);
  const Bitrate start = std::min(config_.start, estimate_.target);
  history_.clear();
  forget_path();
  controller_ = RateController({start, config_.min, config_.max});
  loss_.reset();
  prober_.restart();
  has_own_round_trip_ = false;
  round_trip_ = Duration();
  started_ = is_silent_ = false;
  unanswered_since_.reset();
  publish(now);
}

void SendSideEstimator::forget_path() {
  detector_ = DelayDetector();
  acknowledged_.reset();
  path_delay_.reset();
  last_reference_.reset();
  clock_units_ = 0;
  newest_received_sent_ = Instant();
}

// What arrives, as it would have had to be sent: loss that has nothing to do with the rate takes its part on
// the way.
std::optional<Bitrate> SendSideEstimator::carried() const {
  const auto rate = acknowledged_.rate();
  if (!rate) return rate;
  const double inherent = std::min({loss_.inherent_loss(), loss_.recent_loss(), kMostCompensation});
  return *rate * (1 / (1 - inherent));
}

Duration SendSideEstimator::queueing(Instant now) const {
  const Duration jitter = detector_.jitter();
  return path_delay_.queueing(now, jitter > kMuchJitter ? Duration::seconds(1) : jitter * kJitters);
}

// A slope alone is no queue: where delays jump about, the quickest packets must have become slower, too.
Usage SendSideEstimator::usage(Instant now) const {
  const Usage usage = detector_.usage();
  if (usage != Usage::Over) return usage;
  const auto least = kLeastQueue + Duration::seconds_f(detector_.jitter().to_seconds() * kJitterShare);
  return queueing(now) > least ? Usage::Over : Usage::Normal;
}

void SendSideEstimator::update(Instant now) {
  measure_sent_rate(now);
  const Bitrate before = estimate_.target;
  const Instant last_decrease = controller_.last_decrease();
  const bool was_known = controller_.capacity().is_known();
  controller_.update(now, {.usage = usage(now),
                           .acknowledged = carried(),
                           .round_trip = round_trip_,
                           .queueing = queueing(now),
                           .jitter = detector_.jitter(),
                           .is_losing = loss_.is_excessive(),
                           .is_application_limited = estimate_.is_application_limited});
  loss_.update(now, controller_.rate(), acknowledged_.rate());
  if (controller_.last_decrease() != last_decrease) {
    ++counters_.overuses;
    if (controller_.rate() < before * kDrop) prober_.handle_drop(now);
  } else if (was_known && !controller_.capacity().is_known()) {
    prober_.handle_room(now);
  }
  take_probe_results(now);
  prober_.update(now, situation(now));
  publish(now);
}

void SendSideEstimator::take_probe_results(Instant now) {
  while (const auto result = prober_.poll_result(now, situation(now))) {
    if (usage(now) == Usage::Over) continue;
    if (result->is_saturated) controller_.capacity().handle_probe(result->rate);
    if (result->rate <= controller_.rate()) continue;
    controller_.set(now, result->rate);
    loss_.raise_to(result->rate);
  }
}

void SendSideEstimator::measure_sent_rate(Instant now) {
  const Duration span = now - sent_measured_at_;
  if (span < kSentWindow) return;
  const Bitrate latest = core::rate_of(ByteCount(sent_bytes_), span);
  sent_rate_ = span > kSentWindow * 4 ? latest : sent_rate_ * 0.5 + latest * 0.5;
  sent_bytes_ = 0;
  sent_measured_at_ = now;
  const double until = estimate_.is_application_limited ? kApplicationLimitedUntil : kApplicationLimitedBelow;
  estimate_.is_application_limited = sent_rate_ < controller_.target() * until;
}

Prober::Situation SendSideEstimator::situation(Instant now) const {
  Prober::Situation s{.target = estimate_.target};
  s.useful = demand_ ? std::max(demand_->next_useful, demand_->max_useful) * kUsefulMargin : config_.max;
  s.useful = std::min(s.useful, config_.max);
  const Duration since_decrease =
      counters_.overuses == 0 ? Duration::max() : now - controller_.last_decrease();
  s.is_calm = usage(now) == Usage::Normal && !controller_.is_draining() && !controller_.is_competing(now) &&
              !loss_.is_testing() && !is_silent_ && since_decrease >= kCalmAfterDecrease;
  s.is_known = !estimate_.is_application_limited && controller_.capacity().is_known() &&
               since_decrease < kCapacityKnownFor;
  s.jitter = detector_.jitter();
  return s;
}

Duration SendSideEstimator::silence_limit() const {
  return std::max(kLeastSilence, round_trip_ * 3 + Duration::millis(300));
}

void SendSideEstimator::handle_timeout(Instant now) {
  now = last_now_ = std::max(now, last_now_);
  measure_sent_rate(now);
  if (started_ && unanswered_since_ &&
      now >= std::max(*unanswered_since_, backed_off_at_) + silence_limit()) {
    if (!is_silent_) ++counters_.silences;
    is_silent_ = true;
    backed_off_at_ = now;
    controller_.set(now, controller_.rate() * kSilenceBackOff);
  }
  prober_.update(now, situation(now));
  publish(now);
}

std::optional<Instant> SendSideEstimator::deadline() const {
  std::optional<Instant> at = prober_.deadline();
  if (started_ && unanswered_since_) {
    const Instant silence = std::max(*unanswered_since_, backed_off_at_) + silence_limit();
    at = at ? std::min(*at, silence) : silence;
  }
  return at;
}

LimitedBy SendSideEstimator::limit(Instant now, Bitrate target) const {
  if (is_silent_) return LimitedBy::Silence;
  if (!started_) return LimitedBy::Start;
  if (loss_.bound() && *loss_.bound() <= controller_.target()) return LimitedBy::Loss;
  if (target >= config_.max) return LimitedBy::Maximum;
  const bool is_recent = counters_.overuses > 0 && now - controller_.last_decrease() < Duration::seconds(5);
  return is_recent || controller_.capacity().is_known() ? LimitedBy::Delay : LimitedBy::Nothing;
}

void SendSideEstimator::publish(Instant now) {
  Bitrate target = controller_.target();
  if (loss_.bound()) target = std::min(target, *loss_.bound());
  target = std::clamp(target, config_.min, config_.max);
  estimate_.limited_by = limit(now, target);
  estimate_.target = target;
  estimate_.loss = loss_.recent_loss();
  estimate_.round_trip = round_trip_;
  HUITANG_DCHECK(is_consistent());
}

std::optional<Estimate> SendSideEstimator::poll_event() {
  const bool is_same = estimate_.target == told_.target && estimate_.limited_by == told_.limited_by &&
                       estimate_.is_application_limited == told_.is_application_limited &&
                       std::abs(estimate_.loss - told_.loss) < 0.005;
  if (is_same) return std::nullopt;
  told_ = estimate_;
  return estimate_;
}

std::optional<ProbePlan> SendSideEstimator::poll_probe() {
  const auto plan = prober_.poll_plan();
  if (plan) ++counters_.probes;
  return plan;
}

Bitrate SendSideEstimator::pacing_rate() const { return estimate_.target * kPacing; }

SendSideEstimator::Snapshot SendSideEstimator::snapshot() const {
  Snapshot s = counters_;
  s.estimate = estimate_;
  s.acknowledged = acknowledged_.rate().value_or(Bitrate());
  s.delay_bound = controller_.rate();
  s.loss_bound = loss_.bound().value_or(Bitrate());
  s.queueing = queueing(last_now_);
  s.jitter = detector_.jitter();
  s.in_flight = ByteCount(history_.in_flight());
  return s;
}

SendSideState SendSideEstimator::export_state() const {
  return {.started = started_,
          .target = estimate_.target,
          .delay_bound = controller_.rate(),
          .loss_bound = loss_.bound().value_or(Bitrate()),
          .link_capacity = controller_.capacity().is_known() ? controller_.capacity().mean() : Bitrate(),
          .link_deviation = controller_.capacity().deviation(),
          .inherent_loss = loss_.inherent_loss(),
          .round_trip = round_trip_,
          .delay_threshold = detector_.threshold(),
          .last_cluster = prober_.last_cluster(),
          .feedbacks = counters_.feedbacks,
          .unknown = counters_.unknown,
          .duplicates = counters_.duplicates,
          .probes = counters_.probes};
}

bool SendSideEstimator::restore(Instant now, const SendSideState& s) {
  constexpr Bitrate kMost = Bitrate::kbps(1'000'000'000);
  for (const Bitrate r : {s.target, s.delay_bound, s.loss_bound, s.link_capacity}) {
    if (r < Bitrate() || r > kMost) return false;
  }
  if (s.target == Bitrate() || s.delay_bound == Bitrate()) return false;
  if (!(s.inherent_loss >= 0 && s.inherent_loss <= 1) || !(s.link_deviation >= 0)) return false;
  if (s.round_trip < Duration() || s.round_trip > kRoundTripMost || s.delay_threshold < Duration())
    return false;
  last_now_ = std::max(now, last_now_);
  controller_.set(now, s.delay_bound);
  if (s.link_capacity > Bitrate()) controller_.capacity().resume(s.link_capacity, s.link_deviation);
  loss_.resume(s.loss_bound > Bitrate() ? std::optional(s.loss_bound) : std::nullopt, s.inherent_loss);
  round_trip_ = s.round_trip;
  detector_.set_threshold(s.delay_threshold);
  prober_.resume_after(s.last_cluster, s.started);
  started_ = s.started;
  counters_.feedbacks = s.feedbacks;
  counters_.unknown = s.unknown;
  counters_.duplicates = s.duplicates;
  counters_.probes = s.probes;
  publish(now);
  told_ = estimate_;
  return is_consistent();
}

bool SendSideEstimator::is_consistent() const {
  return estimate_.target >= config_.min && estimate_.target <= config_.max && estimate_.loss >= 0 &&
         estimate_.loss <= 1 && round_trip_ >= Duration() && history_.in_flight() >= 0;
}

}  // namespace huitang::bwe
