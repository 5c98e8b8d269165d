#include "bwe/delay_detector.h"

#include <algorithm>
#include <cmath>

namespace huitang::bwe {

namespace {

// draft-ietf-rmcat-gcc-02 sections 5.2 to 5.5 and, for the line, what is published of its successor.
constexpr core::Duration kBurst = core::Duration::millis(5);
constexpr core::Duration kMaxBurst = core::Duration::millis(100);
constexpr double kSmoothing = 0.9;
constexpr double kGain = 4.0;
constexpr size_t kFullWeightDeltas = 60;
constexpr double kThresholdUp = 0.0087;
constexpr double kThresholdDown = 0.039;
constexpr double kLeastThresholdMs = 6;
constexpr double kMostThresholdMs = 600;
constexpr double kIgnoredAboveMs = 15;  // a spike this far above says nothing about the threshold
constexpr double kMaxAdaptMs = 100;
constexpr double kOveruseMs = 10;
// Clocks that differ by more in one step were set, or the path changed.
constexpr core::Duration kMaxStep = core::Duration::seconds(3);
constexpr int kMaxReordered = 3;

double to_ms(core::Duration d) { return static_cast<double>(d.to_nanos()) / 1e6; }

}  // namespace

void DelayDetector::reset() {
  const double threshold = threshold_ms_;
  *this = DelayDetector();
  threshold_ms_ = threshold;
}

void DelayDetector::set_threshold(core::Duration t) {
  threshold_ms_ = std::clamp(to_ms(t), kLeastThresholdMs, kMostThresholdMs);
}

bool DelayDetector::belongs_to_current(const PacketTiming& p) const {
  if (p.sent - current_->first_sent <= kBurst) return true;
  const auto arrival_delta = p.arrival - current_->last_arrival;
  const auto sent_delta = p.sent - current_->last_sent;
  // Held up somewhere and let go at once: one group, or the release would look like a queue that empties.
  return arrival_delta < sent_delta && arrival_delta <= kBurst &&
         p.arrival - current_->first_arrival < kMaxBurst;
}

void DelayDetector::handle_packet(const PacketTiming& p) {
  if (!current_) {
    current_ = Group{p.sent, p.sent, p.arrival, p.arrival};
    return;
  }
  if (p.sent < current_->first_sent) return;
  if (p.sent - current_->last_sent > kMaxStep || p.arrival - current_->last_arrival > kMaxStep) {
    reset();
    current_ = Group{p.sent, p.sent, p.arrival, p.arrival};
    return;
  }
  if (belongs_to_current(p)) {
    current_->last_sent = std::max(current_->last_sent, p.sent);
    current_->last_arrival = std::max(current_->last_arrival, p.arrival);
    return;
  }
  close_group();
  current_ = Group{p.sent, p.sent, p.arrival, p.arrival};
}

void DelayDetector::close_group() {
  if (previous_) {
    const auto sent = current_->last_sent - previous_->last_sent;
    const auto arrival = current_->last_arrival - previous_->last_arrival;
    if (arrival < core::Duration()) {
      if (++reordered_ >= kMaxReordered) return reset();
    } else {
      reordered_ = 0;
      handle_delta(to_ms(sent), to_ms(arrival), current_->last_arrival);
    }
  }
  previous_ = current_;
}

void DelayDetector::handle_delta(double sent_ms, double arrival_ms, core::Instant arrival) {
  const double delta = arrival_ms - sent_ms;
  if (count_ == 0) first_arrival_ = arrival;
  jitter_ms_ += (std::abs(delta) - jitter_ms_) / 16;
  accumulated_ms_ += delta;
  smoothed_ms_ = kSmoothing * smoothed_ms_ + (1 - kSmoothing) * accumulated_ms_;
  samples_[count_ % kWindow] = {to_ms(arrival - first_arrival_), accumulated_ms_, smoothed_ms_};
  ++count_;
  double slope = previous_slope_;
  if (count_ >= kWindow) {
    if (const auto line = line_slope()) slope = *line;
  }
  detect(slope, sent_ms, arrival);
}

std::optional<double> DelayDetector::line_slope() const {
  double mean_x = 0;
  double mean_y = 0;
  for (const Sample& s : samples_) {
    mean_x += s.at_ms / kWindow;
    mean_y += s.smoothed_ms / kWindow;
  }
  double numerator = 0;
  double denominator = 0;
  for (const Sample& s : samples_) {
    numerator += (s.at_ms - mean_x) * (s.smoothed_ms - mean_y);
    denominator += (s.at_ms - mean_x) * (s.at_ms - mean_x);
  }
  if (denominator <= 0) return std::nullopt;
  return numerator / denominator;
}

void DelayDetector::detect(double slope, double sent_ms, core::Instant arrival) {
  trend_ = static_cast<double>(std::min(count_, kFullWeightDeltas)) * slope * kGain;
  if (trend_ > threshold_ms_) {
    over_for_ms_ = over_for_ms_ < 0 ? sent_ms / 2 : over_for_ms_ + sent_ms;
    ++over_count_;
    if (over_for_ms_ > kOveruseMs && over_count_ > 1 && slope >= previous_slope_) {
      over_for_ms_ = 0;
      over_count_ = 0;
      usage_ = Usage::Over;
    }
  } else {
    over_for_ms_ = -1;
    over_count_ = 0;
    usage_ = trend_ < -threshold_ms_ ? Usage::Under : Usage::Normal;
  }
  previous_slope_ = slope;
  adapt_threshold(trend_, arrival);
}

void DelayDetector::adapt_threshold(double trend_ms, core::Instant arrival) {
  const double magnitude = std::abs(trend_ms);
  const double elapsed = adapted_at_ == core::Instant() ? 0 : to_ms(arrival - adapted_at_);
  adapted_at_ = arrival;
  if (magnitude > threshold_ms_ + kIgnoredAboveMs) return;
  const double k = magnitude < threshold_ms_ ? kThresholdDown : kThresholdUp;
  threshold_ms_ += k * (magnitude - threshold_ms_) * std::clamp(elapsed, 0.0, kMaxAdaptMs);
  threshold_ms_ = std::clamp(threshold_ms_, kLeastThresholdMs, kMostThresholdMs);
}

}  // namespace huitang::bwe
