// What a bot's camera sees: its test picture, painted and encoded once for each simulcast layer that is on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "core/units.h"
#include "media/picture.h"
#include "media/test_picture.h"
#include "media/vp8_codec.h"

namespace huitang::bot {

struct VideoLayerShape {
  media::PictureSize size;
  core::Bitrate bitrate;
};

struct VideoSourceConfig {
  std::string name;
  uint16_t mark = 1;
  bool has_clap = false;
  std::vector<VideoLayerShape> layers;  ///< lowest first
};

class VideoSource {
 public:
  static constexpr int kFramesPerSecond = 15;
  static constexpr size_t kMaxPayload = 1150;

  explicit VideoSource(VideoSourceConfig config);

  size_t layer_count() const { return layers_.size(); }
  void request_key_frame(size_t layer);
  /// Layers from this one up rest; when they come back they begin with a key frame.
  void set_active_layers(size_t count);
  /// Bits of layers that somebody watches; the others rest likewise. All, before the first call.
  void set_demand(uint32_t layers);
  bool is_sent(size_t layer) const { return layer < active_ && (demand_ >> layer & 1) != 0; }
  size_t sent_layers() const;
  core::Bitrate bitrate_of(size_t layer) const { return config_.layers[layer].bitrate; }

  struct Moment {
    core::Duration at;       ///< media time
    std::string_view clock;  ///< as drawn
  };
  /// The payloads of one frame of a layer, the last one with the marker. Empty when the encoder had nothing.
  std::vector<core::Buffer> make_frame(size_t layer, const Moment& moment);

  uint64_t key_frames() const { return key_frames_; }

 private:
  struct Layer {
    media::Picture picture;
    std::optional<media::Vp8Encoder> encoder;
    bool wants_key_frame = true;
    uint16_t picture_id = 0;
    uint8_t tl0_picture_index = 0;
  };
  VideoSourceConfig config_;
  media::TestPicturePainter painter_;
  std::vector<Layer> layers_;
  size_t active_;
  uint32_t demand_ = UINT32_MAX;
  uint64_t key_frames_ = 0;
};

}  // namespace huitang::bot
