// The timeline of one incoming stream: which moment of its sender's clock an RTP timestamp means (RFC 3550
// section 6.4.1).
//
// OwnerClock maps a sender's NTP clock onto the node's with one offset for all of his streams, so that his
// sound and his picture stay comparable (lip sync) whatever his clock says.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"
#include "rtp/ntp_time.h"

namespace huitang::sfu {

class SourceClock {
 public:
  explicit SourceClock(uint32_t rate) : rate_(rate) {}
  void handle_sender_report(rtp::NtpTime ntp, uint32_t timestamp) {
    if (ntp.is_zero()) return;
    ntp_ = ntp;
    timestamp_ = timestamp;
    known_ = true;
  }
  void reset() { known_ = false; }
  bool is_known() const { return known_; }
  uint32_t rate() const { return rate_; }
  /// is_known() only.
  rtp::NtpTime ntp_of(uint32_t timestamp) const {
    const auto ticks = static_cast<int32_t>(timestamp - timestamp_);
    return ntp_ + to_duration(ticks);
  }
  uint32_t timestamp_of(rtp::NtpTime ntp) const {
    return timestamp_ + static_cast<uint32_t>(to_ticks(ntp - ntp_));
  }
  core::Duration to_duration(int64_t ticks) const {
    return core::Duration::nanos(ticks * 1'000'000'000 / rate_);
  }
  /// To the nearest tick.
  int64_t to_ticks(core::Duration d) const {
    const int64_t seconds = d / core::Duration::seconds(1);
    const int64_t rest = (d - core::Duration::seconds(seconds)).to_nanos();
    const int64_t half = rest < 0 ? -500'000'000 : 500'000'000;
    return seconds * rate_ + (rest * rate_ + half) / 1'000'000'000;
  }

  /// The whole of it but the rate, for a successor (state.h).
  struct State {
    bool is_known = false;
    rtp::NtpTime ntp;        ///< of the last sender report, on the sender's clock
    uint32_t timestamp = 0;  ///< the RTP time that means it, in ticks of the stream's rate
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {known_, ntp_, timestamp_}; }
  void restore(const State& s) {
    known_ = s.is_known;
    ntp_ = s.ntp;
    timestamp_ = s.timestamp;
  }

 private:
  uint32_t rate_;
  bool known_ = false;
  rtp::NtpTime ntp_;
  uint32_t timestamp_ = 0;
};

class OwnerClock {
 public:
  /// Beyond this the sender's clock was set; the mapping begins anew.
  static constexpr core::Duration kStep = core::Duration::seconds(1);

  /// A sender report of any of his streams: `sent` on his clock, `arrived` on the node's.
  void handle_sender_report(rtp::NtpTime sent, rtp::NtpTime arrived) {
    const core::Duration seen = arrived - sent;
    if (!known_ || seen - offset_ > kStep || offset_ - seen > kStep) {
      offset_ = seen;
      known_ = true;
      return;
    }
    // Slow enough that jitter of the path vanishes, fast enough for 200 ppm of drift at one report a second.
    offset_ += (seen - offset_) / 64;
  }
  bool is_known() const { return known_; }
  /// The owner's clock at a moment of the node's.
  rtp::NtpTime to_owner(rtp::NtpTime node) const { return node + -offset_; }

  struct State {
    bool is_known = false;
    core::Duration offset;  ///< the node's clock minus the owner's
    friend bool operator==(const State&, const State&) = default;
  };
  State export_state() const { return {known_, offset_}; }
  void restore(const State& s) {
    known_ = s.is_known;
    offset_ = s.offset;
  }

 private:
  bool known_ = false;
  core::Duration offset_;
};

}  // namespace huitang::sfu
