// Opus table of contents and RED.
#include <algorithm>

#include "codec/opus.h"
#include "codec/red.h"
#include "core/check.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const core::Bytes bytes(data, size);
  if (const auto p = codec::parse_opus(bytes)) {
    HUITANG_CHECK(p->frames > 0 && p->duration <= core::Duration::millis(120));
  }
  const auto red = codec::parse_red(bytes);
  if (!red) return 0;
  core::Buffer out(size);
  const size_t n = codec::write_red(out, std::span(red->blocks).first(red->count));
  HUITANG_CHECK(n == size && std::equal(out.begin(), out.end(), data));
  codec::RedMaker maker(111, 2);
  core::Buffer packet(1500);
  uint32_t timestamp = 0;
  for (size_t i = 0; i < red->count; ++i) {
    const size_t made = maker.make(timestamp += red->blocks[i].timestamp_offset, red->blocks[i].data, packet);
    HUITANG_CHECK(made == 0 || codec::parse_red(core::Bytes(packet).first(made)));
  }
  return 0;
}
