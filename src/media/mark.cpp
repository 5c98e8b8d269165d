#include "media/mark.h"

#include <algorithm>

namespace huitang::media {

namespace {

constexpr int kCells = 16;
constexpr int kIdBits = 10;
constexpr int kCheckBits = 3;
constexpr uint16_t kCheckModulus = 7;
constexpr uint8_t kBlack = 16;
constexpr uint8_t kWhite = 235;
constexpr int kThreshold = 128;
constexpr uint32_t kHead = 0b101;

int strip_height(PictureSize size) { return size.height / 8; }

uint32_t pattern_of(uint16_t id) {
  return kHead << (kIdBits + kCheckBits) | static_cast<uint32_t>(id) << kCheckBits | id % kCheckModulus;
}

void fill_rows(Picture& p, int from, int to, uint8_t luma) {
  const int w = p.size().width;
  std::fill(p.y() + static_cast<ptrdiff_t>(from) * w, p.y() + static_cast<ptrdiff_t>(to) * w, luma);
}

void remove_colour(Picture& p, int from, int to) {
  const int w = p.size().width / 2;
  for (uint8_t* plane : {p.u(), p.v()}) {
    std::fill(plane + static_cast<ptrdiff_t>(from / 2) * w, plane + static_cast<ptrdiff_t>(to / 2) * w,
              uint8_t{128});
  }
}

struct Rect {
  int x0, y0, x1, y1;
};

bool is_white(const PlaneView& luma, Rect r) {
  int64_t sum = 0;
  for (int y = r.y0; y < r.y1; ++y) {
    for (int x = r.x0; x < r.x1; ++x) sum += luma.at(x, y);
  }
  const int64_t pixels = static_cast<int64_t>(r.x1 - r.x0) * (r.y1 - r.y0);
  return pixels > 0 && sum >= kThreshold * pixels;
}

}  // namespace

void write_mark(Picture& picture, uint16_t id) {
  const int w = picture.size().width;
  const int h = strip_height(picture.size());
  const uint32_t pattern = pattern_of(id);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const int cell = x * kCells / w;
      picture.y()[static_cast<ptrdiff_t>(y) * w + x] =
          (pattern >> (kCells - 1 - cell) & 1) != 0 ? kWhite : kBlack;
    }
  }
  remove_colour(picture, 0, h + 1);
}

std::optional<uint16_t> read_mark(const PlaneView& luma) {
  const int w = luma.size.width;
  const int h = strip_height(luma.size);
  if (w < kCells * 4 || h < 4) return std::nullopt;
  uint32_t pattern = 0;
  for (int cell = 0; cell < kCells; ++cell) {
    const int x0 = cell * w / kCells;
    const int x1 = (cell + 1) * w / kCells;
    const int margin = (x1 - x0) / 4;
    const bool white = is_white(luma, {x0 + margin, h / 4, x1 - margin, h - h / 4});
    pattern = pattern << 1 | (white ? 1U : 0U);
  }
  const auto id = static_cast<uint16_t>(pattern >> kCheckBits & kMaxMark);
  return id != 0 && pattern == pattern_of(id) ? std::optional(id) : std::nullopt;
}

void write_lamp(Picture& picture, bool lit) {
  const int h = picture.size().height;
  fill_rows(picture, h - strip_height(picture.size()), h, lit ? kWhite : kBlack);
  remove_colour(picture, h - strip_height(picture.size()), h);
}

bool read_lamp(const PlaneView& luma) {
  const int w = luma.size.width;
  const int h = luma.size.height;
  const int strip = strip_height(luma.size);
  return is_white(luma, {w / 4, h - strip + strip / 4, w * 3 / 4, h - strip / 4});
}

}  // namespace huitang::media
