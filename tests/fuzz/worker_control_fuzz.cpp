// Frames of a control connection at a media process with real threads: broken ones and well-formed messages of any
// content, in any order. The connection is never lost by what is inside a frame, every request is answered, and whoever
// comes next finds a node that works.
#include <unistd.h>

#include <deque>
#include <string>

#include "core/check.h"
#include "net/clock.h"
#include "net/log.h"
#include "worker/control_server.h"

using namespace huitang;
using namespace huitang::worker;

namespace {

class Node {
 public:
  Node() : path_("/tmp/huitang-control-fuzz-" + std::to_string(::getpid()) + ".sock") {
    net::set_log_level(net::LogLevel::Off);
    const core::IpAddress loopback = core::IpAddress::v4(127, 0, 0, 1);
    auto worker = WorkerThread::start({.bind = {loopback, 0},
                                       .public_ips = {loopback},
                                       .clock = rtp::NtpClock(net::monotonic_now(), net::wall_now())},
                                      identity_, [](uint32_t, const Event&) { return true; });
    HUITANG_CHECK(worker);
    workers_.push_back(std::move(*worker));
    auto control =
        ControlServer::open(loop_, workers_, {.socket_path = path_, .build = "fuzz", .node_id = "n"}, [] {});
    HUITANG_CHECK(control);
    control_ = std::move(*control);
  }

  void take(core::Bytes input) {
    auto socket = net::FrameSocket::connect(loop_, path_,
                                            {.on_frame = [this](core::Bytes frame) { handle(frame); },
                                             .on_close = [](net::FrameClose) { HUITANG_CHECK(false); }});
    HUITANG_CHECK(socket);
    core::ByteReader in(input);
    if ((in.u8() & 7) != 0) greet(**socket);
    for (int i = 0; i < 64 && !in.failed() && in.remaining() > 0; ++i) {
      const size_t size = in.u16() % 1024;
      (*socket)->send(in.take(std::min(size, in.remaining())));
    }
    greet(**socket);
    tidy(**socket);
    (*socket)->close();
    loop_.run_once(core::Duration());
  }

 private:
  static constexpr uint64_t kBarrier = 0xfffffffffffffff0;

  void handle(core::Bytes frame) {
    v1::MediaMessage message;
    HUITANG_CHECK(message.ParseFromArray(frame.data(), static_cast<int>(frame.size())));
    if (message.reply_to() == kBarrier) answer_ = std::move(message);
  }
  v1::MediaMessage call(net::FrameSocket& socket, v1::MediaMessage message) {
    message.set_id(kBarrier);
    answer_.Clear();
    const std::string bytes = message.SerializeAsString();
    socket.send(core::as_bytes(bytes));
    for (int i = 0; i < 10'000 && answer_.reply_to() != kBarrier; ++i)
      loop_.run_once(core::Duration::millis(1));
    HUITANG_CHECK(answer_.reply_to() == kBarrier);
    return std::move(answer_);
  }
  void greet(net::FrameSocket& socket) {
    v1::MediaMessage hello;
    hello.mutable_hello()->set_version_min(1);
    hello.mutable_hello()->set_version_max(1);
    HUITANG_CHECK(call(socket, hello).has_welcome());
  }
  /// As a restarted serve does: everything that nobody knows of is closed.
  void tidy(net::FrameSocket& socket) {
    v1::MediaMessage ask;
    ask.mutable_get_snapshot();
    const v1::MediaMessage held = call(socket, ask);
    for (const v1::BindSource& source : held.snapshot().sources()) {
      v1::MediaMessage unbind;
      unbind.mutable_unbind_source()->set_source(source.source());
      HUITANG_CHECK(call(socket, unbind).has_done());
    }
    for (const v1::SetGroup& group : held.snapshot().groups()) {
      v1::MediaMessage close;
      close.mutable_close_group()->set_group(group.group());
      HUITANG_CHECK(call(socket, close).has_done());
    }
    for (const v1::SnapshotPeer& peer : held.snapshot().peers()) {
      v1::MediaMessage close;
      close.mutable_close_peer()->set_peer(peer.peer());
      HUITANG_CHECK(call(socket, close).has_done());
    }
    const v1::MediaMessage after = call(socket, ask);
    HUITANG_CHECK(after.snapshot().peers_size() == 0 && after.snapshot().sources_size() == 0);
  }

  std::string path_;
  dtls::Identity identity_ = dtls::Identity::generate(net::wall_now());
  net::EventLoop loop_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<ControlServer> control_;
  v1::MediaMessage answer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 16'384) return 0;
  static Node node;
  node.take({data, size});
  return 0;
}
