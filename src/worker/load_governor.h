// What a worker gives up when its core is used up, and when it takes it back (RELIABILITY.md, order of
// sacrifice: new conferences, then video layers, then video; audio last).
//
// Fed with totals of the worker's thread a few times a second: CPU time used, datagrams lost to full buffers.
// Gives a level. Sans-IO; what each level means is the worker's business. Left out: which peers suffer (all do
// alike), and load of other workers or processes.
//
//   Normal ──▶ NoNewPeers ──▶ LowLayers ──▶ SoundOnly      up: one step, at most every kRiseInterval
//          ◀──            ◀──           ◀──                down: one step, after `hold` of quiet
//
// Giving video back raises the load again, so a level that comes back soon after it was left is held twice as
// long as before: a box that is too small for its meeting settles instead of flickering.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace huitang::worker {

enum class LoadLevel : uint8_t { Normal, NoNewPeers, LowLayers, SoundOnly };
const char* to_string(LoadLevel level);

struct LoadConfig {
  /// Share of one core at which the worker takes no new peers. The levels above begin at 9/8 and 19/16 of it:
  /// 80, 90 and 95 % by default. RELIABILITY.md R1 plans a box for 70 %.
  double limit = 0.80;
};

/// Since the thread began; both only grow.
struct LoadTotals {
  core::Duration cpu;
  uint64_t lost = 0;  ///< datagrams that a full buffer cost, in and out
};

class LoadGovernor {
 public:
  static constexpr core::Duration kSampleInterval = core::Duration::millis(250);
  static constexpr core::Duration kSmoothing = core::Duration::seconds(1);
  static constexpr core::Duration kRiseInterval = core::Duration::millis(500);
  static constexpr core::Duration kShortestHold = core::Duration::seconds(5);
  static constexpr core::Duration kLongestHold = core::Duration::seconds(60);
  /// A level entered again within this time after it was left came back because it was left too early.
  static constexpr core::Duration kRelapse = core::Duration::seconds(20);
  /// After so long without any sacrifice the past is forgotten.
  static constexpr core::Duration kForget = core::Duration::seconds(120);
  /// A level is left at this part of the share at which it is entered.
  static constexpr double kLeave = 0.85;

  struct Snapshot {
    LoadLevel level = LoadLevel::Normal;
    double share = 0;  ///< of one core, smoothed
    core::Duration hold;
    uint64_t rises = 0, falls = 0, lossy_samples = 0;
  };

  LoadGovernor(core::Instant now, const LoadConfig& config);

  /// At `deadline()`, or later. True: the level is another one now.
  bool handle_totals(core::Instant now, const LoadTotals& totals);
  core::Instant deadline() const { return last_at_ + kSampleInterval; }

  LoadLevel level() const { return level_; }
  double share() const { return share_; }
  Snapshot snapshot() const { return {level_, share_, hold_, rises_, falls_, lossy_samples_}; }
  bool is_consistent() const;

 private:
  double entered_at(LoadLevel level) const;
  bool try_rise(core::Instant now, bool lossy);
  bool try_fall(core::Instant now);

  LoadConfig config_;
  LoadLevel level_ = LoadLevel::Normal;
  double share_ = 0;
  LoadTotals last_;
  core::Instant last_at_;
  core::Instant risen_at_;                  ///< last step up
  core::Instant quiet_since_;               ///< the level was not needed since
  std::optional<core::Instant> fallen_at_;  ///< last step down
  core::Duration hold_ = kShortestHold;
  uint64_t rises_ = 0, falls_ = 0, lossy_samples_ = 0;
};

}  // namespace huitang::worker
