#include "codec/video.h"

#include "codec/h264.h"
#include "codec/vp8.h"

namespace huitang::codec {

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view upper) {
  if (a.size() != upper.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'a' && a[i] <= 'z' ? static_cast<char>(a[i] - 'a' + 'A') : a[i];
    if (c != upper[i]) return false;
  }
  return true;
}

VideoPacket from_vp8(const Vp8Packet& p) {
  const Vp8Descriptor& d = p.descriptor;
  return {.is_frame_start = d.is_frame_start(),
          .is_key_frame_start = p.is_key_frame,
          .width = p.width,
          .height = p.height,
          .temporal_layer = d.temporal_layer.value_or(0),
          .is_layer_sync = d.is_layer_sync,
          .is_discardable = d.is_non_reference};
}

VideoPacket from_h264(const H264Packet& p) {
  return {.is_frame_start = p.starts_slice || p.has_sps,
          .is_key_frame_start = p.is_key_frame_start(),
          .width = p.width,
          .height = p.height,
          .is_discardable = p.nal_ref_idc == 0 && p.starts_slice};
}

}  // namespace

std::optional<VideoCodec> video_codec_of(std::string_view encoding_name) {
  if (equals_ignoring_case(encoding_name, "VP8")) return VideoCodec::Vp8;
  if (equals_ignoring_case(encoding_name, "H264")) return VideoCodec::H264;
  return std::nullopt;
}

core::Result<VideoPacket, core::ParseError> inspect_video(VideoCodec codec, core::Bytes payload) {
  switch (codec) {
    case VideoCodec::Vp8: {
      const auto p = parse_vp8(payload);
      if (!p) return core::err(p.error());
      return from_vp8(*p);
    }
    case VideoCodec::H264: {
      const auto p = parse_h264(payload);
      if (!p) return core::err(p.error());
      return from_h264(*p);
    }
  }
  return core::err(core::ParseError::Unsupported);
}

}  // namespace huitang::codec
