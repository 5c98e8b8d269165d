// When to try a higher rate, and what such a try has shown. A train of packets leaves at the rate to be tried;
// the rate at which it arrives is what the path carries.
//
// Tried: three and six times the start; again and again, less often after each failure, while more would be
// useful than is known to fit; soon after a drop; and at once twice as much when a try got through.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "bwe/delay_detector.h"
#include "bwe/estimate.h"

namespace huitang::bwe {

class Prober {
 public:
  static constexpr size_t kClusters = 4;  ///< remembered, the oldest is forgotten first

  struct Situation {
    core::Bitrate target;
    core::Bitrate useful;   ///< nothing above is of use; zero = nothing is wanted
    bool is_calm = false;   ///< no queue grows, nothing drains, feedback comes
    bool is_known = false;  ///< the source itself finds the limit again and again: no need to ask
    core::Duration jitter;
  };
  struct Result {
    core::Bitrate rate;         ///< that the path is known to carry
    bool is_saturated = false;  ///< the train arrived more slowly than it left: this is all there is
    friend bool operator==(const Result&, const Result&) = default;
  };

  void update(core::Instant now, const Situation& s);
  /// The target fell at once: try again soon.
  void handle_drop(core::Instant now);
  /// More than was known of seems to fit.
  void handle_room(core::Instant now) {
    if (next_) next_ = std::min(*next_, now);
  }
  void handle_received(const PacketTiming& p, core::ByteCount size, uint16_t cluster);
  /// After each feedback, until nothing.
  std::optional<Result> poll_result(core::Instant now, const Situation& s);
  std::optional<ProbePlan> poll_plan();
  std::optional<core::Instant> deadline() const { return next_; }
  void restart();

  uint16_t last_cluster() const { return last_cluster_; }
  void resume_after(uint16_t cluster, bool is_past_start) {
    last_cluster_ = cluster;
    is_initial_ = !is_past_start;
  }

 private:
  struct Cluster {
    ProbePlan plan;
    bool is_polled = false;
    bool is_done = true;
    uint32_t packets = 0;
    int64_t bytes = 0, first_arrived_bytes = 0, last_sent_bytes = 0;
    core::Instant first_sent, last_sent, first_arrival, last_arrival;
  };
  void add(core::Bitrate rate, const Situation& s);
  static std::optional<Result> evaluate(const Cluster& c);
  void judge(core::Instant now, const Situation& s, const Cluster& c, const Result& r);

  std::array<Cluster, kClusters> clusters_{};
  uint16_t last_cluster_ = 0;
  bool is_initial_ = true;
  std::optional<core::Instant> next_;
  core::Duration interval_ = core::Duration::seconds(4);
};

}  // namespace huitang::bwe
