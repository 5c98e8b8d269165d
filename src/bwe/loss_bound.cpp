#include "bwe/loss_bound.h"

#include <algorithm>
#include <cmath>

namespace huitang::bwe {

using core::Bitrate;
using core::Duration;

namespace {

constexpr Duration kObservation = Duration::millis(250);
constexpr Duration kMostObservation = Duration::millis(1000);
constexpr uint32_t kLeastPackets = 20;
constexpr double kAging = 0.9;
constexpr double kLeastInherent = 1e-3;
constexpr double kMostInherent = 0.30;  // above, the rate is to blame until shown otherwise
constexpr int kFitSteps = 5;
// Favour for the higher bandwidth, in nats a packet for each e-fold: decides between explanations that fit
// equally well, as all do while the rate does not vary.
constexpr double kFavour = 0.03;
constexpr double kHarmless = 0.02;  // draft-ietf-rmcat-gcc-02 section 6
constexpr double kCandidates[] = {0.8, 0.9, 0.95, 1.0, 1.04, 1.1};
constexpr double kUnbearable = 0.4;

double to_kbps(Bitrate r) { return static_cast<double>(r.to_bps()) / 1000; }

double excess_loss(double rate_kbps, double bandwidth_kbps) {
  return rate_kbps > bandwidth_kbps ? 1 - bandwidth_kbps / rate_kbps : 0;
}

}  // namespace

void LossBound::handle_packet(core::Instant sent, core::ByteCount size, bool is_lost) {
  if (open_lost_ + open_received_ == 0) open_since_ = sent;
  open_until_ = std::max(open_until_, sent);
  open_bytes_ += size.value();
  ++(is_lost ? open_lost_ : open_received_);
}

bool LossBound::close_observation() {
  const uint32_t packets = open_lost_ + open_received_;
  const Duration span = open_until_ - open_since_;
  if (span < kObservation || (packets < kLeastPackets && span < kMostObservation)) return false;
  const Bitrate rate = core::rate_of(core::ByteCount(open_bytes_), span);
  observations_[count_++ % kWindow] = {to_kbps(rate), static_cast<double>(open_lost_),
                                       static_cast<double>(open_received_)};
  const double loss = static_cast<double>(open_lost_) / packets;
  recent_ = count_ == 1 ? loss : recent_ + 0.4 * (loss - recent_);
  open_lost_ = open_received_ = 0;
  open_bytes_ = 0;
  return true;
}

void LossBound::update(Bitrate unbounded, std::optional<Bitrate> acknowledged) {
  if (close_observation()) choose(unbounded, acknowledged);
}

double LossBound::age_weight(size_t i) const {
  const uint64_t age = (count_ - 1 - i) % kWindow;
  return std::pow(kAging, static_cast<double>(age));
}

// Expectation maximisation: which part of each observation's losses would have happened anyway.
LossBound::Fit LossBound::fit(double bandwidth) const {
  const size_t n = std::min<uint64_t>(count_, kWindow);
  Fit f{.inherent = std::clamp(inherent_, 0.01, kMostInherent)};
  for (int step = 0; step < kFitSteps; ++step) {
    double inherent_losses = 0;
    double packets = 0;
    for (size_t i = 0; i < n; ++i) {
      const Observation& o = observations_[i];
      const double p = f.inherent + (1 - f.inherent) * excess_loss(o.rate_kbps, bandwidth);
      inherent_losses += age_weight(i) * o.lost * f.inherent / p;
      packets += age_weight(i) * (o.lost + o.received);
    }
    f.inherent = std::clamp(inherent_losses / packets, kLeastInherent, kMostInherent);
  }
  double packets = 0;
  for (size_t i = 0; i < n; ++i) {
    const Observation& o = observations_[i];
    const double p = std::min(f.inherent + (1 - f.inherent) * excess_loss(o.rate_kbps, bandwidth), 0.999);
    f.likelihood += age_weight(i) * (o.lost * std::log(p) + o.received * std::log(1 - p));
    packets += age_weight(i) * (o.lost + o.received);
  }
  f.likelihood += packets * kFavour * std::log(bandwidth);
  return f;
}

void LossBound::choose(Bitrate unbounded, std::optional<Bitrate> acknowledged) {
  if (recent_ < kHarmless && !bound_) {
    inherent_ += 0.2 * (recent_ - inherent_);
    return;
  }
  const double open = std::max(to_kbps(unbounded), 1.0);
  const double base = bound_ ? std::min(to_kbps(*bound_), open) : open;
  double best = open;
  Fit best_fit = fit(open);
  const auto consider = [&](double kbps) {
    if (kbps >= open || kbps < 1) return;
    const Fit f = fit(kbps);
    if (f.likelihood <= best_fit.likelihood) return;
    best = kbps;
    best_fit = f;
  };
  for (const double factor : kCandidates) consider(base * factor);
  if (acknowledged) consider(to_kbps(*acknowledged) / (1 - std::min(inherent_, kMostInherent)));
  inherent_ = best_fit.inherent;
  if (recent_ > kUnbearable && acknowledged) best = std::min(best, to_kbps(*acknowledged) * 0.85);
  if (best >= open) {
    bound_.reset();
  } else {
    bound_ = Bitrate::bps(static_cast<int64_t>(best * 1000));
  }
}

void LossBound::resume(std::optional<Bitrate> bound, double inherent) {
  bound_ = bound;
  inherent_ = std::clamp(inherent, kLeastInherent, kMostInherent);
}

void LossBound::raise_to(Bitrate rate) {
  if (bound_ && *bound_ < rate) bound_ = rate;
}

}  // namespace huitang::bwe
