// Bytes of another process on a frame socket, in pieces of any size, through a real socket pair: frames come out as they
// were framed, an announced length over the cap ends the connection, and nothing is delivered after the end.
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "core/check.h"
#include "net/frame_socket.h"

using namespace huitang;

namespace {

constexpr net::FrameLimits kLimits{.max_frame = 512, .max_queue = 4096};

/// What the frames of a stream are, by the definition of the format.
std::vector<core::Buffer> frames_of(core::Bytes stream, bool& is_oversized) {
  std::vector<core::Buffer> out;
  is_oversized = false;
  for (size_t at = 0; stream.size() - at >= 4;) {
    const size_t size = core::load_u32(stream.data() + at);
    is_oversized = size > kLimits.max_frame;
    if (is_oversized || stream.size() - at - 4 < size) break;
    out.emplace_back(stream.begin() + static_cast<ptrdiff_t>(at + 4),
                     stream.begin() + static_cast<ptrdiff_t>(at + 4 + size));
    at += 4 + size;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 8192) return 0;
  static net::EventLoop loop;
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return 0;
  net::UniqueFd other(fds[1]);
  std::vector<core::Buffer> got;
  bool has_ended = false;
  net::FrameClose reason = net::FrameClose::Local;
  auto socket = net::FrameSocket::adopt(loop, net::UniqueFd(fds[0]),
                                        {.on_frame =
                                             [&](core::Bytes frame) {
                                               HUITANG_CHECK(!has_ended);
                                               got.emplace_back(frame.begin(), frame.end());
                                             },
                                         .on_close =
                                             [&](net::FrameClose why) {
                                               HUITANG_CHECK(!has_ended);
                                               has_ended = true;
                                               reason = why;
                                             }},
                                        kLimits);
  const core::Bytes stream = core::Bytes(data, size).subspan(1);
  const size_t step = data[0] % 64 == 0 ? stream.size() : size_t{data[0]} * 8 + 1;
  for (size_t at = 0; at < stream.size() && !has_ended; at += step) {
    const core::Bytes piece = stream.subspan(at, std::min(step, stream.size() - at));
    HUITANG_CHECK(::send(other.get(), piece.data(), piece.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(piece.size()));
    loop.run_once(core::Duration());
  }
  other.reset();
  for (int i = 0; i < 4 && !has_ended; ++i) loop.run_once(core::Duration());
  bool is_oversized = false;
  HUITANG_CHECK(got == frames_of(stream, is_oversized));
  HUITANG_CHECK(has_ended && reason == (is_oversized ? net::FrameClose::Oversize : net::FrameClose::Remote));
  socket.reset();
  return 0;
}
