// Text in any script on test pictures, by FreeType and a font of the system. For names that the small font of our own
// lacks; where no font is installed, that one is used instead.
#pragma once

#include <memory>
#include <string_view>

#include "media/picture.h"

namespace huitang::media {

class TextFace {
 public:
  /// The first font found among those that Debian's packages fonts-noto-cjk, fonts-wqy-microhei and fonts-dejavu-core
  /// install; null when there is none. Belongs to one thread.
  static std::unique_ptr<TextFace> find();
  ~TextFace();

  struct Place {
    int x = 0;
    int top = 0;
    int height = 16;    ///< of a line, pixels
    int max_width = 0;  ///< the height is reduced until the text fits
  };
  /// UTF-8; broken bytes are left out. Blends into the luma plane.
  void draw(Picture& picture, std::string_view text, Place place, uint8_t luma);

 private:
  struct Parts;
  explicit TextFace(std::unique_ptr<Parts> parts);
  int width_of(std::u32string_view text, int height);
  std::unique_ptr<Parts> parts_;
};

}  // namespace huitang::media
