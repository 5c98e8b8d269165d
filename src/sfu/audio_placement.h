// On which of a receiver's audio slots each talker plays. Pure.
//
// A browser keeps sound in step only with the picture of the same msid, so a talker who is shown in paired
// video slot k plays on audio slot k. Others take a slot whose partner shows no talker. Nobody changes his
// slot without need.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sfu/types.h"

namespace huitang::sfu {

struct PlacedTalker {
  uint32_t source = 0;
  int8_t partner = -1;  ///< paired video slot that shows him, or -1; at most one talker per slot claims first
};

class AudioPlacement {
 public:
  static constexpr uint32_t kFree = 0xffffffff;
  using Slots = std::array<uint32_t, kMaxAudioSlots>;  ///< source per audio slot

  /// `talkers` in order of right to a slot. Slots from `count` on stay kFree. Returns how many found no slot.
  static size_t place(std::span<const PlacedTalker> talkers, size_t count, const Slots& current, Slots& out);
};

}  // namespace huitang::sfu
