// The bound that loss sets. Loss alone says little: radio loses at any rate. What matters is whether loss grows
// with the rate. Each observation (a quarter of a second or more) is a sending rate with its loss; each
// candidate for the link's bandwidth explains them by
//     p(rate) = inherent + (1 - inherent) * max(0, 1 - bandwidth / rate)
// and the most likely candidate, with some favour for the higher ones, is the bound. While no candidate below
// the rates that were tried is likelier than none at all, there is no bound.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "core/units.h"

namespace huitang::bwe {

class LossBound {
 public:
  static constexpr size_t kWindow = 20;  ///< observations

  /// Each packet once, in the order of sending.
  void handle_packet(core::Instant sent, core::ByteCount size, bool is_lost);
  /// After a feedback; `unbounded` is what may be sent as far as others say.
  void update(core::Bitrate unbounded, std::optional<core::Bitrate> acknowledged);

  std::optional<core::Bitrate> bound() const { return bound_; }
  double inherent_loss() const { return inherent_; }
  double recent_loss() const { return recent_; }
  void resume(std::optional<core::Bitrate> bound, double inherent);
  void raise_to(core::Bitrate rate);  ///< a probe got through at this rate
  void reset() { *this = LossBound(); }

 private:
  struct Observation {
    double rate_kbps = 0;
    double lost = 0;
    double received = 0;
  };
  struct Fit {
    double inherent = 0;
    double likelihood = 0;
  };
  bool close_observation();
  double age_weight(size_t i) const;
  Fit fit(double bandwidth_kbps) const;
  void choose(core::Bitrate unbounded, std::optional<core::Bitrate> acknowledged);

  std::array<Observation, kWindow> observations_{};
  uint64_t count_ = 0;
  core::Instant open_since_, open_until_;
  int64_t open_bytes_ = 0;
  uint32_t open_lost_ = 0, open_received_ = 0;
  double inherent_ = 0.01;
  double recent_ = 0;
  std::optional<core::Bitrate> bound_;
};

}  // namespace huitang::bwe
