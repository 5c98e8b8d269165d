#include "bwe/loss_bound.h"

#include <algorithm>

namespace huitang::bwe {

using core::Bitrate;
using core::Duration;
using core::Instant;

namespace {

constexpr Duration kObservation = Duration::millis(250);
constexpr Duration kMostObservation = Duration::millis(1000);
constexpr uint32_t kLeastPackets = 20;
constexpr double kHarmless = 0.03;       // above inherent loss; what noise and short queues make
constexpr double kInherentFactor = 1.5;  // as much more than known may still be the same path
constexpr double kTestShare = 0.75;
constexpr uint32_t kTestPackets = 120;
constexpr double kHelped = 0.5;  // of the loss is left: the rate was to blame
constexpr double kMostInherent = 0.5;
constexpr Duration kBetweenTests = Duration::seconds(10);
constexpr double kGrowth = 1.02;  // an observation
constexpr double kBackOff = 0.92;
constexpr double kBeyondNeed = 1.2;
constexpr int kMostBackOffs = 4;
constexpr int kCalm = 8;

}  // namespace

void LossBound::handle_packet(Instant sent, core::ByteCount, bool is_lost) {
  if (open_.lost + open_.received == 0) {
    open_.from = sent;
    open_until_ = sent;
  }
  open_until_ = std::max(open_until_, sent);
  ++(is_lost ? open_.lost : open_.received);
}

std::optional<LossBound::Observation> LossBound::close_observation() {
  const uint32_t packets = open_.lost + open_.received;
  if (packets == 0) return std::nullopt;
  const Duration span = open_until_ - open_.from;
  if (span < kObservation || (packets < kLeastPackets && span < kMostObservation)) return std::nullopt;
  const Observation done = open_;
  open_ = {};
  recent_ = has_recent_ ? recent_ + 0.4 * (done.loss() - recent_) : done.loss();
  has_recent_ = true;
  return done;
}

bool LossBound::is_excessive() const { return recent_ > inherent_ * kInherentFactor + kHarmless; }

void LossBound::update(Instant now, Bitrate unbounded, std::optional<Bitrate> acknowledged) {
  const auto o = close_observation();
  if (!o) return;
  const Bitrate in_force = bound_ ? std::min(*bound_, unbounded) : unbounded;
  const Bitrate base = acknowledged ? std::min(*acknowledged, in_force) : in_force;
  switch (state_) {
    case State::Open: return observe_open(now, *o, base);
    case State::Testing: return observe_test(now, *o);
    case State::Bounded: return observe_bounded(now, *o, unbounded, base);
  }
}

void LossBound::observe_open(Instant now, const Observation& o, Bitrate base) {
  excesses_ = is_excessive() && o.loss() > inherent_ + kHarmless ? excesses_ + 1 : 0;
  if (excesses_ == 0) inherent_ += 0.05 * (std::min(o.loss(), inherent_) - inherent_);
  if (excesses_ < 2 || now < next_test_) return;
  state_ = State::Testing;
  excesses_ = 0;
  loss_before_ = recent_;
  bound_ = base * kTestShare;
  test_began_ = now;
  test_lost_ = test_received_ = 0;
}

void LossBound::observe_test(Instant now, const Observation& o) {
  if (o.from < test_began_) return;  // of the rate before
  test_lost_ += o.lost;
  test_received_ += o.received;
  if (test_lost_ + test_received_ < kTestPackets) return;
  const double loss = static_cast<double>(test_lost_) / (test_lost_ + test_received_);
  next_test_ = now + kBetweenTests;
  recent_ = loss;
  if (loss < loss_before_ * kHelped) {
    inherent_ = loss;
    state_ = State::Bounded;
    back_offs_ = calm_ = 0;
    return;
  }
  inherent_ = std::min((loss + loss_before_) / 2, kMostInherent);
  state_ = State::Open;
  bound_.reset();
}

void LossBound::observe_bounded(Instant now, const Observation& o, Bitrate unbounded, Bitrate base) {
  if (is_excessive() && o.loss() > inherent_ + kHarmless) {
    calm_ = 0;
    if (++back_offs_ > kMostBackOffs) {
      inherent_ = std::min(recent_, kMostInherent);
      state_ = State::Open;
      bound_.reset();
      next_test_ = now + kBetweenTests;
      return;
    }
    bound_ = std::min(*bound_, base * kBackOff);
    return;
  }
  if (++calm_ >= kCalm) back_offs_ = 0;
  bound_ = *bound_ * kGrowth;
  if (*bound_ < unbounded * kBeyondNeed) return;
  bound_.reset();
  state_ = State::Open;
}

void LossBound::resume(std::optional<Bitrate> bound, double inherent) {
  bound_ = bound;
  state_ = bound ? State::Bounded : State::Open;
  inherent_ = std::clamp(inherent, 0.0, kMostInherent);
}

void LossBound::raise_to(Bitrate rate) {
  if (state_ == State::Bounded && *bound_ < rate) bound_ = rate;
}

}  // namespace huitang::bwe
