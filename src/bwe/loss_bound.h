// The bound that loss sets. Loss alone says little: radio loses at any rate, and other flows fill queues. What
// matters is whether loss falls when less is sent. So the first time that more is lost than the path is known
// to lose anyway, less is sent for a moment: when that helps, the rate was to blame and is bounded; when it does
// not, the loss is inherent to the path and no reason to send less.
//
// Left out: the fixed thresholds of draft-ietf-rmcat-gcc-02 section 6, by which 10 % of random loss ends at the
// lowest rate.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"
#include "core/units.h"

namespace huitang::bwe {

class LossBound {
 public:
  /// Each packet once, in the order of sending.
  void handle_packet(core::Instant sent, core::ByteCount size, bool is_lost);
  /// After a feedback; `unbounded` is what may be sent as far as others say.
  void update(core::Instant now, core::Bitrate unbounded, std::optional<core::Bitrate> acknowledged);

  std::optional<core::Bitrate> bound() const { return bound_; }
  double inherent_loss() const { return inherent_; }
  double recent_loss() const { return recent_; }
  /// More is lost than the path loses anyway.
  bool is_excessive() const;
  bool is_testing() const { return state_ == State::Testing; }
  void resume(std::optional<core::Bitrate> bound, double inherent);
  void raise_to(core::Bitrate rate);  ///< a probe got through at this rate
  void reset() { *this = LossBound(); }

 private:
  // Open ──excess twice──▶ Testing ──helped──▶ Bounded ──grown beyond need──▶ Open
  //                           └──did not: inherent──▶ Open
  // Bounded ──backed off again and again in vain: inherent──▶ Open
  enum class State : uint8_t { Open, Testing, Bounded };
  struct Observation {
    core::Instant from;
    uint32_t lost = 0, received = 0;
    double loss() const { return static_cast<double>(lost) / (lost + received); }
  };
  std::optional<Observation> close_observation();
  void observe_open(core::Instant now, const Observation& o, core::Bitrate base);
  void observe_test(core::Instant now, const Observation& o);
  void observe_bounded(core::Instant now, const Observation& o, core::Bitrate unbounded, core::Bitrate base);

  State state_ = State::Open;
  Observation open_;
  core::Instant open_until_;
  double inherent_ = 0;
  double recent_ = 0;
  bool has_recent_ = false;
  int excesses_ = 0;   ///< observations in a row
  int back_offs_ = 0;  ///< while bounded, without a calm stretch in between
  int calm_ = 0;       ///< observations in a row while bounded
  core::Instant test_began_, next_test_;
  double loss_before_ = 0;
  uint32_t test_lost_ = 0, test_received_ = 0;
  std::optional<core::Bitrate> bound_;
};

}  // namespace huitang::bwe
