#include "worker/load_governor.h"

#include <algorithm>
#include <array>

#include "core/check.h"

namespace huitang::worker {
namespace {

/// Of LoadConfig::limit, by level; what lies between is 5 to 10 % of a core, about one large picture's worth.
constexpr std::array kSteps{0.0, 1.0, 9.0 / 8, 19.0 / 16};

}  // namespace

const char* to_string(LoadLevel level) {
  switch (level) {
    case LoadLevel::Normal: return "normal";
    case LoadLevel::NoNewPeers: return "no new peers";
    case LoadLevel::LowLayers: return "low layers only";
    case LoadLevel::SoundOnly: return "sound only";
  }
  return "?";
}

LoadGovernor::LoadGovernor(core::Instant now, const LoadConfig& config)
    : config_(config), last_at_(now), risen_at_(now - kRiseInterval), quiet_since_(now) {}

double LoadGovernor::entered_at(LoadLevel level) const {
  // A limit above 84 % would put the upper steps beyond what a core has; they are reached all the same.
  return std::min(config_.limit * kSteps[static_cast<size_t>(level)], 0.98);
}

bool LoadGovernor::handle_totals(core::Instant now, const LoadTotals& totals) {
  const core::Duration elapsed = now - last_at_;
  if (elapsed <= core::Duration()) return false;
  const double span = elapsed.to_seconds();
  const double used = std::clamp((totals.cpu - last_.cpu).to_seconds() / span, 0.0, 1.0);
  const bool lossy = totals.lost > last_.lost;
  share_ += (used - share_) * span / (span + kSmoothing.to_seconds());
  lossy_samples_ += lossy;
  last_ = totals;
  last_at_ = now;
  if (level_ == LoadLevel::Normal && fallen_at_ && now - *fallen_at_ >= kForget) {
    fallen_at_.reset();
    hold_ = kShortestHold;
  }
  const bool needed = lossy || (level_ != LoadLevel::Normal && share_ >= entered_at(level_) * kLeave);
  if (needed) quiet_since_ = now;
  const bool changed = try_rise(now, lossy) || try_fall(now);
  HUITANG_DCHECK(is_consistent());
  return changed;
}

bool LoadGovernor::try_rise(core::Instant now, bool lossy) {
  if (level_ == LoadLevel::SoundOnly || now - risen_at_ < kRiseInterval) return false;
  const auto next = static_cast<LoadLevel>(static_cast<uint8_t>(level_) + 1);
  if (!lossy && share_ < entered_at(next)) return false;
  if (fallen_at_ && now - *fallen_at_ < kRelapse + hold_) hold_ = std::min(hold_ * 2, kLongestHold);
  fallen_at_.reset();
  level_ = next;
  risen_at_ = quiet_since_ = now;
  ++rises_;
  return true;
}

bool LoadGovernor::try_fall(core::Instant now) {
  if (level_ == LoadLevel::Normal || now - quiet_since_ < hold_) return false;
  level_ = static_cast<LoadLevel>(static_cast<uint8_t>(level_) - 1);
  fallen_at_ = quiet_since_ = now;
  ++falls_;
  return true;
}

bool LoadGovernor::is_consistent() const {
  return level_ <= LoadLevel::SoundOnly && share_ >= 0 && share_ <= 1 && hold_ >= kShortestHold &&
         hold_ <= kLongestHold && rises_ - falls_ == static_cast<uint64_t>(level_);
}

}  // namespace huitang::worker
