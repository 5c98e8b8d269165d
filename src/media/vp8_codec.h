// VP8 by libvpx. Only processes that may lose a codec to a bug use it (DESIGN.md section 3): recorder,
// gateway, bots.
#pragma once

#include <memory>
#include <optional>

#include "core/bytes.h"
#include "core/units.h"
#include "media/picture.h"

namespace huitang::media {

struct EncodedFrame {
  core::Bytes data;  ///< good until the next call
  bool is_key_frame = false;
};

class Vp8Encoder {
 public:
  struct Config {
    PictureSize size;
    core::Bitrate bitrate;
    int frames_per_second = 15;
  };
  /// Nothing when libvpx refuses the configuration.
  static std::optional<Vp8Encoder> make(const Config& config);
  Vp8Encoder(Vp8Encoder&&) noexcept;
  Vp8Encoder& operator=(Vp8Encoder&&) noexcept;
  ~Vp8Encoder();

  /// `timestamp` in 1/90000 s, growing. Nothing when the rate control drops the frame.
  std::optional<EncodedFrame> encode(const Picture& picture, int64_t timestamp, bool force_key_frame);
  void set_bitrate(core::Bitrate bitrate);

 private:
  struct State;
  explicit Vp8Encoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The planes lie in the decoder's memory and are good until its next call.
struct DecodedPicture {
  PlaneView y;
  PlaneView u;
  PlaneView v;
};

class Vp8Decoder {
 public:
  static std::optional<Vp8Decoder> make();
  Vp8Decoder(Vp8Decoder&&) noexcept;
  Vp8Decoder& operator=(Vp8Decoder&&) noexcept;
  ~Vp8Decoder();

  /// Nothing for a frame that cannot be decoded or is not shown.
  std::optional<DecodedPicture> decode(core::Bytes frame);

 private:
  struct State;
  explicit Vp8Decoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace huitang::media
