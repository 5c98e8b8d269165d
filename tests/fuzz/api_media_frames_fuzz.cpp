// The stream of a media node as serve reads it, cut anywhere: the same messages come out however it is cut, and an
// oversized or broken frame ends it.
#include <vector>

#include "api/media_protocol.h"
#include "core/check.h"
#include "huitang/v1/media.pb.h"

using namespace huitang;

namespace {

struct Result {
  std::vector<std::string> messages;
  bool has_failed = false;
  friend bool operator==(const Result&, const Result&) = default;
};

Result read(core::Bytes stream, size_t step) {
  Result out;
  api::MediaFrameReader reader;
  for (size_t at = 0; at < stream.size() && !out.has_failed; at += step) {
    reader.append(stream.subspan(at, std::min(step, stream.size() - at)));
    for (;;) {
      v1::MediaMessage message;
      const auto next = reader.next(message);
      out.has_failed = !next;
      if (!next || !*next) break;
      out.messages.push_back(message.SerializeAsString());
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 16'384) return 0;
  const core::Bytes stream = core::Bytes(data, size).subspan(1);
  const Result whole = read(stream, stream.size());
  HUITANG_CHECK(read(stream, size_t{data[0]} + 1) == whole);
  // A message of any content, framed as a node would.
  v1::MediaMessage message;
  if (!message.ParseFromArray(stream.data(), static_cast<int>(stream.size()))) return 0;
  const std::string frame = api::write_media_frame(message);
  const Result framed = read(core::as_bytes(frame), 7);
  HUITANG_CHECK(!framed.has_failed && framed.messages.size() == 1);
  return 0;
}
