#include "media/test_picture.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "media/bitmap_font.h"
#include "media/mark.h"

namespace huitang::media {

namespace {

constexpr uint8_t kTextLuma = 235;
constexpr double kTurnsPerSecond = 0.25;
constexpr int kChromaRadius = 36;  // calm colours on which white text stays readable

Colour colour_of(uint16_t mark) {
  // The golden angle keeps neighbouring marks far apart in hue.
  const double hue = mark * std::numbers::pi * (3.0 - std::sqrt(5.0));
  return {.y = static_cast<uint8_t>(70 + mark % 3 * 15),
          .u = static_cast<uint8_t>(128 + std::lround(kChromaRadius * std::cos(hue))),
          .v = static_cast<uint8_t>(128 + std::lround(kChromaRadius * std::sin(hue)))};
}

void fill(Picture& p, Colour c) {
  const auto pixels = static_cast<size_t>(p.size().width) * static_cast<size_t>(p.size().height);
  std::fill_n(p.y(), pixels, c.y);
  std::fill_n(p.u(), pixels / 4, c.u);
  std::fill_n(p.v(), pixels / 4, c.v);
}

/// A ball on a circle in the right half.
void draw_ball(Picture& p, double seconds, uint8_t luma) {
  const double angle = 2 * std::numbers::pi * kTurnsPerSecond * seconds;
  const int w = p.size().width;
  const int h = p.size().height;
  const int radius = h / 12;
  const int cx = w * 4 / 5 + static_cast<int>(std::lround(w / 8.0 * std::cos(angle)));
  const int cy = h / 2 + static_cast<int>(std::lround(h / 5.0 * std::sin(angle)));
  for (int y = std::max(0, cy - radius); y < std::min(h, cy + radius); ++y) {
    for (int x = std::max(0, cx - radius); x < std::min(w, cx + radius); ++x) {
      if ((x - cx) * (x - cx) + (y - cy) * (y - cy) >= radius * radius) continue;
      p.y()[static_cast<ptrdiff_t>(y) * w + x] = luma;
    }
  }
}

/// The largest scale at which the text takes at most `width` pixels, between 1 and `limit`.
int fitting_scale(std::string_view text, int width, int limit) {
  const int natural = std::max(1, count_characters(text) * kGlyphWidth);
  return std::clamp(width / natural, 1, std::max(1, limit));
}

}  // namespace

TestPicturePainter::TestPicturePainter(TestPictureStyle style)
    : style_(std::move(style)), face_(TextFace::find()) {
  if (face_ == nullptr && !has_glyphs(style_.name)) style_.name = "#" + std::to_string(style_.mark);
}

void TestPicturePainter::draw_name(Picture& picture) const {
  const int w = picture.size().width;
  const int h = picture.size().height;
  const int room = w * 3 / 5;
  if (face_ != nullptr) return face_->draw(picture, style_.name, {w / 20, h / 4, h / 6, room}, kTextLuma);
  draw_text(picture, style_.name, {w / 20, h * 3 / 10, fitting_scale(style_.name, room, h / 40)}, kTextLuma);
}

void TestPicturePainter::paint(Picture& picture, const TestPictureMoment& moment) const {
  const Colour background = colour_of(style_.mark);
  const int w = picture.size().width;
  const int h = picture.size().height;
  fill(picture, background);
  draw_ball(picture, moment.seconds, static_cast<uint8_t>(background.y + 70));
  const int margin = w / 20;
  draw_name(picture);
  const int clock_scale = fitting_scale(moment.clock, w * 3 / 5, h / 60);
  draw_text(picture, moment.clock, {margin, h * 6 / 10, clock_scale}, kTextLuma);
  write_mark(picture, style_.mark);
  if (moment.has_lamp) write_lamp(picture, moment.is_lamp_lit);
}

}  // namespace huitang::media
