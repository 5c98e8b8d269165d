#include "bwe/rate_controller.h"

#include <cmath>

namespace huitang::bwe {

using core::Bitrate;
using core::Duration;
using core::Instant;

namespace {

// draft-ietf-rmcat-gcc-02 section 5.5.
constexpr double kBackOff = 0.93;  // the draft's 0.85 where the queue is not drained apart
constexpr double kGrowthPerSecond = 1.08;
constexpr double kMostAboveAcknowledged = 1.5;
constexpr Bitrate kAlwaysAllowed = Bitrate::kbps(10);
constexpr double kCapacityWeight = 0.05;
constexpr double kProbeWeight = 0.5;
constexpr double kLeastDeviation = 0.4;
constexpr double kMostDeviation = 2.5;
constexpr double kDeviations = 3;
constexpr Duration kFeedbackDelay = Duration::millis(100);
constexpr double kFramesPerSecond = 30;
constexpr double kPacketBits = 1200 * 8;
constexpr double kLeastStepPerSecond = 4000;

// Ours: a queue worth draining; when it counts as drained; how deep to go for it.
constexpr Duration kWorthDraining = Duration::millis(20);
constexpr Duration kShortQueue = Duration::millis(15);
constexpr Duration kLongQueue = Duration::millis(80);  // if it stays, it may be that of others
constexpr double kDrainShare = 0.6;
constexpr Duration kMostDrain = Duration::seconds(3);
constexpr double kDrainedShare = 0.6;  // less than this went although all should have: others fill it
constexpr int64_t kJittersOfLongQueue = 8;
constexpr int kFailedDrains = 3;
constexpr Duration kCompeting = Duration::seconds(10);  // then delay is tried again; longer each time in vain
constexpr Duration kMostCompeting = Duration::seconds(40);
constexpr double kRegained = 0.7;
constexpr double kLossBackOff = 0.85;
constexpr Duration kAfterLoss = Duration::millis(500);

}  // namespace

double LinkCapacity::spread_kbps() const { return kDeviations * std::sqrt(variance_ * mean_kbps_); }

Bitrate LinkCapacity::upper() const {
  return Bitrate::bps(static_cast<int64_t>((mean_kbps_ + spread_kbps()) * 1000));
}

Bitrate LinkCapacity::lower() const {
  return Bitrate::bps(static_cast<int64_t>(std::max(0.0, mean_kbps_ - spread_kbps()) * 1000));
}

void LinkCapacity::handle_overuse(Bitrate carried) {
  take(static_cast<double>(carried.to_bps()) / 1000, kCapacityWeight);
}
void LinkCapacity::handle_probe(Bitrate carried) {
  take(static_cast<double>(carried.to_bps()) / 1000, kProbeWeight);
}

void LinkCapacity::take(double kbps, double weight) {
  mean_kbps_ = is_known() ? (1 - weight) * mean_kbps_ + weight * kbps : kbps;
  const double error = mean_kbps_ - kbps;
  const double relative = error * error / std::max(mean_kbps_, 1.0);
  variance_ = std::clamp((1 - weight) * variance_ + weight * relative, kLeastDeviation, kMostDeviation);
}

void LinkCapacity::resume(Bitrate mean, double deviation) {
  mean_kbps_ = static_cast<double>(mean.to_bps()) / 1000;
  variance_ = std::clamp(deviation, kLeastDeviation, kMostDeviation);
}

void RateController::assign(Instant now, Bitrate rate) {
  rate_ = std::clamp(rate, config_.min, config_.max);
  changed_at_ = now;
}

void RateController::set(Instant now, Bitrate rate) { assign(now, rate); }

void RateController::update(Instant now, const Input& in) {
  if (changed_at_ == Instant()) changed_at_ = now;
  if (drain_) update_drain(now, in);
  if (is_competing(now)) {
    if (in.queueing > kShortQueue) return compete(now, in);
    competing_until_ = now;  // the other has gone
  }
  switch (in.usage) {
    case Usage::Over: {
      if (is_decrease_due(now, in)) decrease(now, in);
      is_held_ = true;
      changed_at_ = now;
      return;
    }
    case Usage::Under:  // the queue empties: wait for it
      is_held_ = true;
      changed_at_ = now;
      return;
    case Usage::Normal:
      if (is_held_ || drain_) {
        is_held_ = false;
        changed_at_ = now;
        return;
      }
      increase(now, in);
      return;
  }
}

bool RateController::is_decrease_due(Instant now, const Input& in) const {
  if (!has_decreased_) return true;
  // While a queue drains only one thing is news: that less arrives than even then is sent.
  if (drain_) {
    return in.acknowledged && *in.acknowledged < drain_->target * 0.9 &&
           now - last_decrease_ >= in.round_trip + kFeedbackDelay;
  }
  if (in.acknowledged && *in.acknowledged < rate_ * 0.5) return true;
  return now - last_decrease_ >= std::clamp(in.round_trip, Duration::millis(10), Duration::millis(200));
}

// Beside a flow that fills the queue whatever we do.
void RateController::compete(Instant now, const Input& in) {
  if (!in.is_losing || now - last_decrease_ < in.round_trip + kAfterLoss) {
    capacity_.forget();
    return increase(now, in);
  }
  assign(now, rate_ * kLossBackOff);
  last_decrease_ = now;
}

void RateController::increase(Instant now, const Input& in) {
  const Duration elapsed = std::min(now - changed_at_, Duration::seconds(1));
  changed_at_ = now;
  if (in.is_application_limited) return;  // what arrives says nothing about what could
  if (in.acknowledged && capacity_.is_known() && *in.acknowledged > capacity_.upper()) capacity_.forget();
  Bitrate wanted;
  if (capacity_.is_known()) {
    wanted = rate_ + additive_step(elapsed, in.round_trip);
  } else {
    wanted = std::max(rate_ * std::pow(kGrowthPerSecond, elapsed.to_seconds()), rate_ + Bitrate::bps(100));
  }
  if (in.acknowledged) {
    const Bitrate most = *in.acknowledged * kMostAboveAcknowledged + kAlwaysAllowed;
    wanted = std::max(rate_, std::min(wanted, most));
  }
  rate_ = std::clamp(wanted, config_.min, config_.max);
}

// One packet a response time: as a frame of this rate is cut into packets of equal size.
Bitrate RateController::additive_step(Duration elapsed, Duration round_trip) const {
  const double frame_bits = static_cast<double>(rate_.to_bps()) / kFramesPerSecond;
  const double packet_bits = frame_bits / std::ceil(frame_bits / kPacketBits);
  const double response = (round_trip + kFeedbackDelay).to_seconds();
  const double per_second = std::max(kLeastStepPerSecond, packet_bits / response);
  return Bitrate::bps(static_cast<int64_t>(per_second * elapsed.to_seconds()));
}

void RateController::decrease(Instant now, const Input& in) {
  const Bitrate carried = in.acknowledged.value_or(rate_);
  Bitrate wanted = carried * kBackOff;
  // While what arrives is more than the rate that is already in force, the past is still arriving.
  if (wanted > rate_) wanted = capacity_.is_known() ? std::min(rate_, capacity_.mean() * kBackOff) : rate_;
  if (capacity_.is_known() && carried < capacity_.lower()) capacity_.forget();
  capacity_.handle_overuse(carried);
  if (!drain_) before_drains_ = std::min(rate_, carried);
  assign(now, wanted);
  last_decrease_ = now;
  has_decreased_ = true;
  const Bitrate to_drain_below = std::min(carried, rate_);
  if (drain_) {  // still the same queue: deeper, not longer
    drain_->target = std::max(std::min(drain_->target, to_drain_below * kDrainShare), config_.min);
  } else if (in.queueing > kWorthDraining) {
    failed_drains_ = 0;
    begin_drain(now, in, to_drain_below);
  }
}

void RateController::begin_drain(Instant now, const Input& in, Bitrate carried) {
  const Duration needed = Duration::seconds_f(in.queueing.to_seconds() / (1 - kDrainShare));
  const auto until = now + std::min(needed + in.round_trip + kFeedbackDelay, kMostDrain);
  drain_ = Drain{std::max(carried * kDrainShare, config_.min), in.queueing, until};
}

void RateController::update_drain(Instant now, const Input& in) {
  if (in.queueing <= kShortQueue) {
    drain_.reset();
    failed_drains_ = 0;
    return;
  }
  if (now < drain_->until) return;
  const bool is_left = in.queueing > Duration::seconds_f(drain_->queue.to_seconds() * kDrainedShare) &&
                       in.queueing > kLongQueue + in.jitter * kJittersOfLongQueue;
  failed_drains_ = is_left ? failed_drains_ + 1 : 0;
  if (failed_drains_ >= kFailedDrains) {
    failed_drains_ = 0;
    drain_.reset();
    const bool is_again = competing_until_ != Instant() && now - competing_until_ < kCompeting * 2;
    competing_for_ = is_again ? std::min(competing_for_ * 2, kMostCompeting) : kCompeting;
    competing_until_ = now + competing_for_;
    // What was given up was for the other's good only.
    const Bitrate most = in.acknowledged ? *in.acknowledged * 2 : rate_;
    assign(now, std::max(rate_, std::min(before_drains_ * kRegained, most)));
  } else if (is_left) {
    // Perhaps it was the link that carries less than it seemed to.
    const bool is_slower = in.acknowledged && *in.acknowledged < drain_->target * 0.9;
    begin_drain(now, in, is_slower ? *in.acknowledged : drain_->target * (1 / kDrainShare));
  } else {
    drain_.reset();
  }
}

}  // namespace huitang::bwe
