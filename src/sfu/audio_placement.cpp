#include "sfu/audio_placement.h"

#include <algorithm>

namespace huitang::sfu {

size_t AudioPlacement::place(std::span<const PlacedTalker> talkers, size_t count, const Slots& current,
                             Slots& out) {
  out.fill(kFree);
  std::array<bool, kMaxAudioSlots> claimed{};
  std::array<bool, kMaxSlots> placed{};
  const size_t n = std::min(talkers.size(), kMaxSlots);

  for (size_t i = 0; i < n; ++i) {
    const int8_t k = talkers[i].partner;
    if (k < 0 || static_cast<size_t>(k) >= count || claimed[static_cast<size_t>(k)]) continue;
    claimed[static_cast<size_t>(k)] = placed[i] = true;
    out[static_cast<size_t>(k)] = talkers[i].source;
  }
  for (size_t i = 0; i < n; ++i) {
    if (placed[i]) continue;
    for (size_t k = 0; k < count; ++k) {
      if (current[k] != talkers[i].source || out[k] != kFree) continue;
      out[k] = talkers[i].source;
      placed[i] = true;
      break;
    }
  }
  size_t without = 0;
  for (size_t i = 0; i < n; ++i) {
    if (placed[i]) continue;
    // From the end, where partners of big pictures are least likely; a slot that just played somebody comes
    // last.
    size_t best = count;
    for (size_t k = count; k-- > 0;) {
      if (out[k] != kFree) continue;
      if (best == count) best = k;
      if (current[k] == kFree) {
        best = k;
        break;
      }
    }
    if (best == count) {
      ++without;
    } else {
      out[best] = talkers[i].source;
    }
  }
  return without + (talkers.size() - n);
}

}  // namespace huitang::sfu
