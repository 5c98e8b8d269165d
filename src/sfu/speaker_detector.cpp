#include "sfu/speaker_detector.h"

#include <algorithm>

namespace huitang::sfu {

void SpeakerDetector::follow(core::Instant now, std::span<const TalkerSelector::Member> members) {
  for (const auto& m : members) {
    if (m.meter.slow_loudness(now) < LevelMeter::kSpeaking) continue;
    auto it = std::ranges::find(speeches_, m.source, &Speech::source);
    if (it == speeches_.end()) it = speeches_.insert(it, {m.source, now, now});
    it->last_loud = now;
  }
  std::erase_if(speeches_, [&](const Speech& s) { return now - s.last_loud > kPause; });
}

const SpeakerDetector::Speech* SpeakerDetector::find_speech(uint32_t source) const {
  const auto it = std::ranges::find(speeches_, source, &Speech::source);
  return it == speeches_.end() ? nullptr : &*it;
}

bool SpeakerDetector::handle_timeout(core::Instant now, std::span<const TalkerSelector::Member> members) {
  follow(now, members);
  if (speeches_.empty()) return false;
  if (!active_left_ && now - shown_since_ < kMinShown) return false;
  const core::Duration hold = active_left_ ? kFirstHold : kHold;
  const bool active_speaks = !active_left_ && find_speech(speakers_[0]) != nullptr;

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
    const Speech* speech = find_speech(m.source);
    if (speech == nullptr || now - speech->began < hold || loudness <= loudest) continue;
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

SpeakerDetector::State SpeakerDetector::export_state() const {
  const auto remembered = speakers();
  return {speeches_, {remembered.begin(), remembered.end()}, shown_since_, active_left_};
}

bool SpeakerDetector::restore(const State& s) {
  if (s.speakers.size() > kRemembered || (!s.has_active_left && s.speakers.empty())) return false;
  speeches_ = s.speeches;
  std::ranges::copy(s.speakers, speakers_.begin());
  count_ = s.speakers.size();
  shown_since_ = s.shown_since;
  active_left_ = s.has_active_left;
  return true;
}

void SpeakerDetector::forget(uint32_t source) {
  std::erase_if(speeches_, [&](const Speech& s) { return s.source == source; });
  const auto end = speakers_.begin() + static_cast<ptrdiff_t>(count_);
  const auto at = std::find(speakers_.begin(), end, source);
  if (at == end) return;
  if (at == speakers_.begin()) active_left_ = true;
  std::move(at + 1, end, at);
  --count_;
}

}  // namespace huitang::sfu
