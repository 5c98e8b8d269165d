// One look at a video payload whatever its codec: what a forwarder decides by.
//
// VP8 and H.264 now; VP9 and AV1 get a parser of their own beside these and one more row in inspect_video().
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::codec {

enum class VideoCodec : uint8_t { Vp8, H264 };

/// "VP8", "H264" as in a=rtpmap, case ignored.
std::optional<VideoCodec> video_codec_of(std::string_view encoding_name);

struct VideoPacket {
  bool is_frame_start = false;
  bool is_key_frame_start = false;  ///< a decoder can begin with this packet
  uint16_t width = 0;               ///< 0 when not known from this packet
  uint16_t height = 0;
  uint8_t temporal_layer = 0;
  bool is_layer_sync = false;   ///< a switch up to this temporal layer may happen here
  bool is_discardable = false;  ///< no other picture refers to it
};

core::Result<VideoPacket, core::ParseError> inspect_video(VideoCodec codec, core::Bytes payload);

}  // namespace huitang::codec
