// The machine-readable mark of test pictures: who is shown, proven by pixels.
//
// The top eighth of the picture is a strip of 16 equal cells, black (Y 16) or white (Y 235): cells 0 to 2 are
// white, black, white; 3 to 12 a ten-bit id, most significant first; 13 to 15 the id modulo 7, likewise. The
// bottom eighth is the clap lamp of lip-sync tests: white while the tone sounds.
#pragma once

#include <cstdint>
#include <optional>

#include "media/picture.h"

namespace huitang::media {

inline constexpr uint16_t kMaxMark = 1023;

/// id 1..kMaxMark.
void write_mark(Picture& picture, uint16_t id);
/// By the mean luma of the middle of each cell. Nothing when there is no mark.
std::optional<uint16_t> read_mark(const PlaneView& luma);

void write_lamp(Picture& picture, bool lit);
bool read_lamp(const PlaneView& luma);

}  // namespace huitang::media
