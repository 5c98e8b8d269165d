// Paints the pictures that bots send: a background of their own colour, the mark, name and clock, something
// that moves, and in clap mode the lamp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "media/picture.h"
#include "media/text_face.h"

namespace huitang::media {

struct TestPictureStyle {
  std::string name;   ///< without a font of the system, "#" and the mark stand for what ours cannot write
  uint16_t mark = 1;  ///< also chooses the colour
};

struct TestPictureMoment {
  std::string_view clock;  ///< drawn as it is, "12:34:56.7"
  double seconds = 0;      ///< drives the movement
  bool has_lamp = false;   ///< clap mode
  bool is_lamp_lit = false;
};

class TestPicturePainter {
 public:
  explicit TestPicturePainter(TestPictureStyle style);
  void paint(Picture& picture, const TestPictureMoment& moment) const;

 private:
  void draw_name(Picture& picture) const;

  TestPictureStyle style_;
  std::unique_ptr<TextFace> face_;  ///< null where no font is installed
};

}  // namespace huitang::media
