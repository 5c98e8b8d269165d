// A picture in I420: full-size luma, half-size chroma, eight bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace huitang::media {

struct PictureSize {
  int width = 0;
  int height = 0;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

/// One plane in somebody's memory; rows lie `stride` bytes apart.
struct PlaneView {
  const uint8_t* data = nullptr;
  int stride = 0;
  PictureSize size;
  uint8_t at(int x, int y) const { return data[static_cast<ptrdiff_t>(y) * stride + x]; }
};

/// Owns its planes; width and height are even.
class Picture {
 public:
  explicit Picture(PictureSize size)
      : size_(size),
        y_(static_cast<size_t>(size.width) * size.height),
        u_(y_.size() / 4, 128),
        v_(y_.size() / 4, 128) {}
  PictureSize size() const { return size_; }
  PlaneView luma() const { return {y_.data(), size_.width, size_}; }
  uint8_t* y() { return y_.data(); }
  uint8_t* u() { return u_.data(); }
  uint8_t* v() { return v_.data(); }
  const uint8_t* y() const { return y_.data(); }
  const uint8_t* u() const { return u_.data(); }
  const uint8_t* v() const { return v_.data(); }

 private:
  PictureSize size_;
  std::vector<uint8_t> y_;
  std::vector<uint8_t> u_;
  std::vector<uint8_t> v_;
};

struct Colour {
  uint8_t y = 16;
  uint8_t u = 128;
  uint8_t v = 128;
};

}  // namespace huitang::media
