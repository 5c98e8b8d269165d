// Does a queue grow? Packets are grouped into bursts; how much later each group arrives than it was sent apart
// from the one before is summed, smoothed, and a line is laid through the last sums. A slope above a threshold
// for some time is overuse. The threshold follows the slope (slowly down, quickly up), so that a flow is not
// starved by others that fill the queue (draft-ietf-rmcat-gcc-02 section 5; Carlucci et al. section 4).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace huitang::bwe {

enum class Usage : uint8_t { Normal, Over, Under };

/// A packet as the receiver saw it: `arrival` is on the receiver's clock.
struct PacketTiming {
  core::Instant sent;
  core::Instant arrival;
};

class DelayDetector {
 public:
  static constexpr size_t kWindow = 20;  ///< group deltas under the line

  void handle_packet(const PacketTiming& p);
  Usage usage() const { return usage_; }
  double slope_ms() const { return trend_; }
  core::Duration threshold() const { return core::Duration::seconds_f(threshold_ms_ / 1e3); }
  void set_threshold(core::Duration t);
  /// Mean deviation of a group's delay from the one before: how much jitter there is.
  core::Duration jitter() const { return core::Duration::seconds_f(jitter_ms_ / 1e3); }
  void reset();

 private:
  struct Group {
    core::Instant first_sent, last_sent, first_arrival, last_arrival;
  };
  struct Sample {
    double at_ms = 0, raw_ms = 0, smoothed_ms = 0;
  };
  bool belongs_to_current(const PacketTiming& p) const;
  void close_group();
  void handle_delta(double sent_ms, double arrival_ms, core::Instant arrival);
  std::optional<double> line_slope() const;
  void detect(double trend_ms, double sent_ms, core::Instant arrival);
  void adapt_threshold(double trend_ms, core::Instant arrival);

  std::optional<Group> current_, previous_;
  std::array<Sample, kWindow> samples_{};
  size_t count_ = 0;  ///< deltas since the reset
  core::Instant first_arrival_;
  double accumulated_ms_ = 0, smoothed_ms_ = 0;
  double trend_ = 0, previous_slope_ = 0;
  double jitter_ms_ = 0;
  double threshold_ms_ = 12.5;
  core::Instant adapted_at_;
  double over_for_ms_ = -1;
  int over_count_ = 0;
  int reordered_ = 0;
  Usage usage_ = Usage::Normal;
};

}  // namespace huitang::bwe
