// H.264 payloads and sequence parameter sets.
#include "codec/h264.h"
#include "codec/video.h"
#include "core/check.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const core::Bytes bytes(data, size);
  if (const auto p = codec::parse_h264(bytes)) {
    HUITANG_CHECK(p->width == 0 || p->has_sps);
  }
  if (const auto s = codec::parse_h264_sps(bytes)) {
    HUITANG_CHECK(s->width > 0 && s->width <= 0x4000 && s->height > 0 && s->height <= 0x4000);
  }
  (void)codec::inspect_video(codec::VideoCodec::H264, bytes);
  return 0;
}
