#include "sfu/speaker_detector.h"

#include <algorithm>

namespace huitang::sfu {

void SpeakerDetector::follow(core::Instant now, std::span<const TalkerSelector::Member> members) {
  for (const auto& m : members) {
    if (m.meter.slow_loudness(now) < LevelMeter::kSpeaking) continue;
    const auto [it, is_new] = speeches_.try_emplace(m.source, Speech{now, now});
    it->second.last_loud = now;
  }
  std::erase_if(speeches_, [&](const auto& s) { return now - s.second.last_loud > kPause; });
}

bool SpeakerDetector::handle_timeout(core::Instant now, std::span<const TalkerSelector::Member> members) {
  follow(now, members);
  if (speeches_.empty()) return false;
  if (!active_left_ && now - shown_since_ < kMinShown) return false;
  const core::Duration hold = active_left_ ? kFirstHold : kHold;
  const bool active_speaks = !active_left_ && speeches_.contains(speakers_[0]);

  const TalkerSelector::Member* best = nullptr;
  float loudest = 0;
  for (const auto& m : members) {
    const float loudness = m.meter.slow_loudness(now);
    if (!active_left_ && m.source == speakers_[0]) {
      if (active_speaks && loudness + kLouderBy > loudest) {
        loudest = loudness + kLouderBy;
        best = &m;
      }
      continue;
    }
    const auto it = speeches_.find(m.source);
    if (it == speeches_.end() || now - it->second.began < hold || loudness <= loudest) continue;
    loudest = loudness;
    best = &m;
  }
  if (best == nullptr || (!active_left_ && best->source == speakers_[0])) return false;
  take_over(now, best->source);
  return true;
}

void SpeakerDetector::take_over(core::Instant now, uint32_t source) {
  const auto end = speakers_.begin() + static_cast<ptrdiff_t>(count_);
  auto at = std::find(speakers_.begin(), end, source);
  if (at == end) {
    if (count_ < kRemembered) ++count_;
    at = speakers_.begin() + static_cast<ptrdiff_t>(count_ - 1);
  }
  std::move_backward(speakers_.begin(), at, at + 1);
  speakers_[0] = source;
  shown_since_ = now;
  active_left_ = false;
}

void SpeakerDetector::forget(uint32_t source) {
  speeches_.erase(source);
  const auto end = speakers_.begin() + static_cast<ptrdiff_t>(count_);
  const auto at = std::find(speakers_.begin(), end, source);
  if (at == end) return;
  if (at == speakers_.begin()) active_left_ = true;
  std::move(at + 1, end, at);
  --count_;
}

}  // namespace huitang::sfu
