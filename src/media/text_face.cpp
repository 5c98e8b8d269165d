#include "media/text_face.h"

#include <ft2build.h>

#include <algorithm>
#include <string>
#include FT_FREETYPE_H

namespace huitang::media {

namespace {

constexpr const char* kFonts[] = {
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
};
constexpr int kSmallestHeight = 8;

std::u32string from_utf8(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    if (length == 0 || i + length > text.size()) {
      ++i;
      continue;
    }
    char32_t c = length == 1 ? lead : lead & (0x7f >> length);
    for (size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    out += c;
    i += length;
  }
  return out;
}

/// Coverage 0..255 of a glyph's dots over what is there.
void blend(Picture& picture, const FT_Bitmap& glyph, int left, int top, uint8_t luma) {
  const int w = picture.size().width;
  const int h = picture.size().height;
  for (int row = 0; row < static_cast<int>(glyph.rows); ++row) {
    const int y = top + row;
    if (y < 0 || y >= h) continue;
    for (int column = 0; column < static_cast<int>(glyph.width); ++column) {
      const int x = left + column;
      if (x < 0 || x >= w) continue;
      const int cover = glyph.buffer[row * glyph.pitch + column];
      uint8_t& pixel = picture.y()[static_cast<ptrdiff_t>(y) * w + x];
      pixel = static_cast<uint8_t>((pixel * (255 - cover) + luma * cover) / 255);
    }
  }
}

}  // namespace

struct TextFace::Parts {
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  ~Parts() {
    if (face != nullptr) FT_Done_Face(face);
    if (library != nullptr) FT_Done_FreeType(library);
  }
};

std::unique_ptr<TextFace> TextFace::find() {
  auto parts = std::make_unique<Parts>();
  if (FT_Init_FreeType(&parts->library) != 0) return nullptr;
  for (const char* font : kFonts)
    if (FT_New_Face(parts->library, font, 0, &parts->face) == 0)
      return std::unique_ptr<TextFace>(new TextFace(std::move(parts)));
  return nullptr;
}

TextFace::TextFace(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TextFace::~TextFace() = default;

int TextFace::width_of(std::u32string_view text, int height) {
  FT_Set_Pixel_Sizes(parts_->face, 0, static_cast<FT_UInt>(height));
  FT_Pos width = 0;
  for (const char32_t c : text)
    if (FT_Load_Char(parts_->face, c, FT_LOAD_ADVANCE_ONLY) == 0)
      width += parts_->face->glyph->advance.x >> 6;
  return static_cast<int>(width);
}

void TextFace::draw(Picture& picture, std::string_view utf8, Place place, uint8_t luma) {
  const std::u32string text = from_utf8(utf8);
  int height = std::max(place.height, kSmallestHeight);
  while (height > kSmallestHeight && width_of(text, height) > place.max_width) --height;
  FT_Set_Pixel_Sizes(parts_->face, 0, static_cast<FT_UInt>(height));
  int x = place.x;
  for (const char32_t c : text) {
    if (FT_Load_Char(parts_->face, c, FT_LOAD_RENDER) != 0) continue;
    const FT_GlyphSlot glyph = parts_->face->glyph;
    blend(picture, glyph->bitmap, x + glyph->bitmap_left, place.top + height - glyph->bitmap_top, luma);
    x += static_cast<int>(glyph->advance.x >> 6);
  }
}

}  // namespace huitang::media
