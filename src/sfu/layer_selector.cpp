#include "sfu/layer_selector.h"

#include <algorithm>

namespace huitang::sfu {
namespace {

// What a client that says nothing of sizes is taken to show.
constexpr ShownSize kDefaultShown{640, 360};
// Of a layer 0 about which nothing is known.
constexpr LayerFacts kDefaultLowest{false, 320, 180};

constexpr double kKeepEnlarged = 1.25;
constexpr double kTakeEnlarged = 1.10;
constexpr double kLeaveDownward = 1.0;

using Layers = std::array<LayerFacts, kMaxLayers>;

LayerFacts guess_size(const Layers& layers, size_t i) {
  if (layers[i].width != 0) return layers[i];
  LayerFacts base = kDefaultLowest;
  size_t at = 0;
  for (size_t k = 0; k < kMaxLayers; ++k) {
    if (layers[k].width == 0) continue;
    base = layers[k];
    at = k;
    if (k > i) break;
  }
  const auto scaled = [&](uint16_t v) {
    const uint32_t wide =
        at <= i ? static_cast<uint32_t>(v) << (i - at) : static_cast<uint32_t>(v) >> (at - i);
    return static_cast<uint16_t>(std::clamp<uint32_t>(wide, 1, 0xffff));
  };
  return {layers[i].flowing, scaled(base.width), scaled(base.height)};
}

/// By how much the picture is enlarged when fitted whole into the shown size.
double enlargement(const LayerFacts& layer, ShownSize shown) {
  return std::min(static_cast<double>(shown.width) / layer.width,
                  static_cast<double>(shown.height) / layer.height);
}

double allowed_enlargement(size_t layer, std::optional<uint8_t> current) {
  if (!current || layer > *current) return kTakeEnlarged;
  return layer == *current ? kKeepEnlarged : kLeaveDownward;
}

std::optional<uint8_t> nearest_flowing(const Layers& layers, uint8_t wanted) {
  for (int i = wanted; i >= 0; --i) {
    if (layers[static_cast<size_t>(i)].flowing) return static_cast<uint8_t>(i);
  }
  for (size_t i = wanted + size_t{1}; i < kMaxLayers; ++i) {
    if (layers[i].flowing) return static_cast<uint8_t>(i);
  }
  return std::nullopt;
}

}  // namespace

ShownSize assumed_size(ShownSize shown) {
  return shown.width == 0 || shown.height == 0 ? kDefaultShown : shown;
}

double enlargement_of(const Layers& layers, size_t i, ShownSize shown) {
  return enlargement(guess_size(layers, i), assumed_size(shown));
}

uint8_t select_layer(const Layers& layers, ShownSize shown, std::optional<uint8_t> current) {
  shown = assumed_size(shown);
  size_t top = 0;
  for (size_t i = 0; i < kMaxLayers; ++i) {
    if (layers[i].flowing) top = i;
  }
  uint8_t wanted = static_cast<uint8_t>(top);
  for (size_t i = 0; i < top; ++i) {
    if (enlargement(guess_size(layers, i), shown) <= allowed_enlargement(i, current)) {
      wanted = static_cast<uint8_t>(i);
      break;
    }
  }
  return nearest_flowing(layers, wanted).value_or(current.value_or(0));
}

}  // namespace huitang::sfu
