// A small font of our own for test pictures: digits, Latin capitals and a little punctuation, 5 by 7 dots.
// Lower case is shown as capitals; what the font lacks becomes a hollow box.
#pragma once

#include <string_view>

#include "media/picture.h"

namespace huitang::media {

inline constexpr int kGlyphWidth = 6;  ///< with the gap to the next one
inline constexpr int kGlyphHeight = 7;

struct TextPlace {
  int x = 0;
  int y = 0;
  int scale = 1;  ///< pixels per dot
};

/// `text` is UTF-8. Cut off at the right edge of the picture.
void draw_text(Picture& picture, std::string_view text, TextPlace place, uint8_t luma);
/// Every character of the text is in the font.
bool has_glyphs(std::string_view text);
/// Characters (not bytes) of a UTF-8 text; broken bytes count one each.
int count_characters(std::string_view text);

}  // namespace huitang::media
