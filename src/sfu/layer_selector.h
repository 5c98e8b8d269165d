// Which simulcast layer a picture of a given size should come from. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sfu/types.h"

namespace huitang::sfu {

struct LayerFacts {
  bool flowing = false;
  uint16_t width = 0;  ///< 0 until a key frame told
  uint16_t height = 0;
};
struct ShownSize {
  uint16_t width = 0;  ///< 0 = not said
  uint16_t height = 0;
};

/// The smallest layer that needs not be enlarged (by more than a tenth) to fill the shown size; `current` is
/// kept while it is enlarged by less than a quarter, and left downward only for one that needs no enlarging
/// at all. Sizes not yet learnt are guessed from a known layer (each twice the one below). When the wanted
/// layer does not flow: the next lower that does, else the next higher; when none flows: `current`, or
/// 0, which comes up first.
uint8_t select_layer(const std::array<LayerFacts, kMaxLayers>& layers, ShownSize shown,
                     std::optional<uint8_t> current);

/// By how much layer `i`, its size guessed where it is not known, is enlarged when fitted whole into the shown
/// size; below 1: made smaller.
double enlargement_of(const std::array<LayerFacts, kMaxLayers>& layers, size_t i, ShownSize shown);

/// What is taken for a size that was not said.
ShownSize assumed_size(ShownSize shown);

}  // namespace huitang::sfu
