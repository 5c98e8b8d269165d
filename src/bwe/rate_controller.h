// The bound that delay sets: up by a share of itself while nothing is known of the link, up by about a packet
// a response time near its known capacity, down below what arrives when a queue grows
// (draft-ietf-rmcat-gcc-02 section 5.5).
//
// Beyond the draft: when overuse finds a queue, the target goes deeper for as long as the queue should need to
// drain, and comes back to what the link carried. If it does not drain three times in a row, it is not ours but that of a flow that
// only loss slows down; beside that one, delay is no guide: for a while only loss is, then draining is tried
// again.
#pragma once

#include <algorithm>
#include <optional>

#include "bwe/delay_detector.h"
#include "core/units.h"

namespace huitang::bwe {

/// What the link was seen to carry whenever its queue grew: mean and relative deviation.
class LinkCapacity {
 public:
  void handle_overuse(core::Bitrate carried);
  void handle_probe(core::Bitrate carried);
  bool is_known() const { return mean_kbps_ > 0; }
  core::Bitrate mean() const { return core::Bitrate::bps(static_cast<int64_t>(mean_kbps_ * 1000)); }
  core::Bitrate upper() const;
  core::Bitrate lower() const;
  double deviation() const { return variance_; }
  void forget() { mean_kbps_ = 0; }
  void resume(core::Bitrate mean, double deviation);

 private:
  void take(double kbps, double weight);
  double spread_kbps() const;
  double mean_kbps_ = 0;
  double variance_ = 0.4;  ///< kbit/s; of the squared error relative to the mean
};

class RateController {
 public:
  struct Config {
    core::Bitrate start, min, max;
  };
  struct Input {
    Usage usage = Usage::Normal;
    std::optional<core::Bitrate> acknowledged;
    core::Duration round_trip;
    core::Duration queueing;  ///< delay above the least seen lately
    core::Duration jitter;
    bool is_losing = false;  ///< more than the path loses anyway
    bool is_application_limited = false;
  };

  explicit RateController(Config config) : config_(config), rate_(config.start) {}

  void update(core::Instant now, const Input& in);
  /// Evidence from elsewhere (a probe, silence).
  void set(core::Instant now, core::Bitrate rate);

  core::Bitrate rate() const { return rate_; }
  /// rate(), or less while a queue drains.
  core::Bitrate target() const { return drain_ ? std::min(rate_, drain_->target) : rate_; }
  bool is_draining() const { return drain_.has_value(); }
  bool is_competing(core::Instant now) const { return now < competing_until_; }
  core::Instant last_decrease() const { return last_decrease_; }
  LinkCapacity& capacity() { return capacity_; }
  const LinkCapacity& capacity() const { return capacity_; }

 private:
  struct Drain {
    core::Bitrate target;
    core::Duration queue;  ///< when it began
    core::Instant until;
  };
  bool is_decrease_due(core::Instant now, const Input& in) const;
  void increase(core::Instant now, const Input& in);
  void decrease(core::Instant now, const Input& in);
  void compete(core::Instant now, const Input& in);
  void begin_drain(core::Instant now, const Input& in, core::Bitrate carried);
  void update_drain(core::Instant now, const Input& in);
  core::Bitrate additive_step(core::Duration elapsed, core::Duration round_trip) const;
  void assign(core::Instant now, core::Bitrate rate);

  Config config_;
  core::Bitrate rate_;
  LinkCapacity capacity_;
  bool is_held_ = false;  ///< after a decrease, until usage is normal
  core::Instant changed_at_, last_decrease_;
  bool has_decreased_ = false;
  std::optional<Drain> drain_;
  int failed_drains_ = 0;  ///< in a row
  core::Bitrate before_drains_;
  core::Instant competing_until_;
  core::Duration competing_for_;
};

}  // namespace huitang::bwe
