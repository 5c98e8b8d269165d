// The VP8 descriptor, rewriting in place, and the rewriter fed with a sequence of descriptors.
#include <algorithm>

#include "codec/video.h"
#include "codec/vp8.h"
#include "core/check.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  codec::Vp8Rewriter rewriter;
  // Chunks of eight bytes: a verb, then a payload.
  for (core::Bytes rest(data, size); rest.size() >= 2;) {
    const size_t n = std::min<size_t>(rest.size() - 1, rest[0] & 0x80 ? rest.size() - 1 : 7);
    core::Buffer payload(rest.begin() + 1, rest.begin() + 1 + static_cast<ptrdiff_t>(n));
    const uint8_t verb = rest[0] & 7;
    rest = rest.subspan(1 + n);
    (void)codec::inspect_video(codec::VideoCodec::Vp8, payload);
    const auto p = codec::parse_vp8(payload);
    if (!p) continue;
    const auto& d = p->descriptor;
    HUITANG_CHECK(d.size < payload.size());
    if (verb == 0) rewriter.begin_source();
    if (verb == 1) {
      rewriter.drop(d);
      continue;
    }
    if (const auto numbers = rewriter.map(d)) {
      codec::rewrite_vp8(payload, d, numbers->picture_id, numbers->tl0_picture_index);
      const auto again = codec::parse_vp8(payload);
      HUITANG_CHECK(again && again->descriptor.size == d.size);
      if (d.has_long_picture_id) HUITANG_CHECK(again->descriptor.picture_id == numbers->picture_id);
      if (d.tl0_picture_index)
        HUITANG_CHECK(again->descriptor.tl0_picture_index == numbers->tl0_picture_index);
    }
  }
  return 0;
}
