#include "bwe/prober.h"

#include <algorithm>

namespace huitang::bwe {

using core::Bitrate;
using core::ByteCount;
using core::Duration;
using core::Instant;

namespace {

constexpr double kInitial[] = {3, 6};
constexpr double kStep = 2;
constexpr Duration kDuration = Duration::millis(15);
constexpr double kJitters = 4;
constexpr Duration kMostDuration = Duration::millis(60);
constexpr uint16_t kPackets = 5;
constexpr double kEnough = 0.8;   // of the minima: a lost packet does not void a try
constexpr double kThrough = 0.7;  // of the tried rate: the next step is worth a try
constexpr double kSaturated = 0.9;
constexpr double kShareOfSaturated = 0.95;
constexpr double kUsefulGain = 1.05;
constexpr double kMostCompression = 2;  // arrived that much faster than it left: says nothing
constexpr Duration kMostSpan = Duration::seconds(1);
constexpr Duration kLeastInterval = Duration::seconds(4);
constexpr Duration kMostInterval = Duration::seconds(10);
constexpr Duration kAfterDrop = Duration::seconds(2);
constexpr Duration kNotNow = Duration::millis(500);

}  // namespace

void Prober::restart() {
  const uint16_t last = last_cluster_;
  *this = Prober();
  last_cluster_ = last;
}

void Prober::add(Bitrate rate, const Situation& s) {
  if (++last_cluster_ == 0) last_cluster_ = 1;
  // Shorter than the jitter, a train only measures that.
  const Duration duration =
      std::clamp(Duration::seconds_f(s.jitter.to_seconds() * kJitters), kDuration, kMostDuration);
  Cluster c{.is_done = false};
  c.plan = {.cluster = last_cluster_,
            .rate = rate,
            .min_packets = kPackets,
            .min_bytes = ByteCount(
                static_cast<int64_t>(static_cast<double>(rate.to_bps()) / 8 * duration.to_seconds())),
            .duration = duration};
  clusters_[last_cluster_ % kClusters] = c;
}

void Prober::update(Instant now, const Situation& s) {
  const bool is_wanted = s.useful > s.target * kUsefulGain;
  if (is_initial_) {
    if (!is_wanted) return;
    is_initial_ = false;
    Bitrate last;
    for (const double factor : kInitial) {
      const Bitrate rate = std::min(s.target * factor, s.useful);
      if (rate > last) add(rate, s);
      last = rate;
    }
    next_ = now + interval_;
    return;
  }
  if (!is_wanted) {
    next_.reset();
    return;
  }
  if (!next_) next_ = now + Duration::millis(1);  // something has become useful
  if (now < *next_) return;
  if (!s.is_calm || s.is_known) {
    next_ = now + kNotNow;
    return;
  }
  add(std::min(s.target * kStep, s.useful), s);
  next_ = now + interval_;
  interval_ = std::min(interval_ * 3 / 2, kMostInterval);
}

void Prober::handle_drop(Instant now) {
  interval_ = kLeastInterval;
  next_ = now + kAfterDrop;
}

std::optional<ProbePlan> Prober::poll_plan() {
  for (size_t i = 1; i <= kClusters; ++i) {  // oldest first
    Cluster& c = clusters_[(last_cluster_ + i) % kClusters];
    if (c.is_done || c.is_polled) continue;
    c.is_polled = true;
    return c.plan;
  }
  return std::nullopt;
}

void Prober::handle_received(const PacketTiming& p, ByteCount size, uint16_t cluster) {
  Cluster& c = clusters_[cluster % kClusters];
  if (c.is_done || c.plan.cluster != cluster) return;
  if (c.packets == 0) {
    c.first_sent = c.last_sent = p.sent;
    c.first_arrival = c.last_arrival = p.arrival;
  }
  if (p.sent >= c.last_sent) c.last_sent_bytes = size.value();
  if (p.arrival <= c.first_arrival) c.first_arrived_bytes = size.value();
  c.first_sent = std::min(c.first_sent, p.sent);
  c.last_sent = std::max(c.last_sent, p.sent);
  c.first_arrival = std::min(c.first_arrival, p.arrival);
  c.last_arrival = std::max(c.last_arrival, p.arrival);
  c.bytes += size.value();
  ++c.packets;
}

std::optional<Prober::Result> Prober::evaluate(const Cluster& c) {
  if (c.packets < c.plan.min_packets * kEnough ||
      static_cast<double>(c.bytes) < static_cast<double>(c.plan.min_bytes.value()) * kEnough) {
    return std::nullopt;
  }
  const Duration sent = c.last_sent - c.first_sent;
  const Duration received = c.last_arrival - c.first_arrival;
  if (sent <= Duration() || received <= Duration() || sent > kMostSpan || received > kMostSpan) {
    return Result{};
  }
  const Bitrate out = core::rate_of(ByteCount(c.bytes - c.last_sent_bytes), sent);
  const Bitrate in = core::rate_of(ByteCount(c.bytes - c.first_arrived_bytes), received);
  if (in > out * kMostCompression) return Result{};
  if (in < out * kSaturated) return Result{in * kShareOfSaturated, true};
  return Result{std::min(in, out), false};
}

std::optional<Prober::Result> Prober::poll_result(Instant now, const Situation& s) {
  for (Cluster& c : clusters_) {
    if (c.is_done) continue;
    const auto result = evaluate(c);
    if (!result) continue;
    c.is_done = true;
    if (*result == Result{}) continue;
    const Cluster judged = c;
    judge(now, s, judged, *result);
    return result;
  }
  return std::nullopt;
}

void Prober::judge(Instant now, const Situation& s, const Cluster& c, const Result& r) {
  if (r.rate <= s.target * kUsefulGain) return;
  interval_ = kLeastInterval;
  next_ = now + interval_;
  const bool is_newest = c.plan.cluster == last_cluster_;
  if (is_newest && !r.is_saturated && r.rate > c.plan.rate * kThrough && r.rate * kUsefulGain < s.useful) {
    add(std::min(r.rate * kStep, s.useful), s);
  }
}

}  // namespace huitang::bwe
