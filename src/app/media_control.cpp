#include "app/media_control.h"

#include <sys/socket.h>

#include "net/clock.h"
#include "net/failure.h"

namespace huitang::app {

namespace {

constexpr uint32_t kVersionMin = 1, kVersionMax = 2;

}  // namespace

core::Result<std::unique_ptr<MediaControl>, std::string> MediaControl::connect(const std::string& socket,
                                                                               core::Duration patience) {
  std::unique_ptr<MediaControl> self(new MediaControl);
  MediaControl* raw = self.get();
  auto connected = net::FrameSocket::connect(
      self->loop_, socket,
      {.on_frame =
           [raw](core::Bytes frame) {
             v1::MediaMessage message;
             if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return;
             if (message.reply_to() == raw->awaited_) raw->answer_ = std::move(message);
           },
       .on_close = [raw](net::FrameClose) { raw->is_closed_ = true; }});
  if (!connected) return core::err(net::to_string(connected.error()));
  self->socket_ = std::move(*connected);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(self->socket_->fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) self->pid_ = peer.pid;

  v1::MediaMessage hello;
  hello.mutable_hello()->set_version_min(kVersionMin);
  hello.mutable_hello()->set_version_max(kVersionMax);
  hello.mutable_hello()->set_build(HUITANG_VERSION);
  auto answer = self->ask(std::move(hello), patience);
  if (!answer) return core::err(answer.error());
  if (!answer->has_welcome()) return core::err("no welcome: " + answer->error().detail());
  self->welcome_ = answer->welcome();
  return self;
}

core::Result<v1::MediaMessage, std::string> MediaControl::ask(v1::MediaMessage request,
                                                              core::Duration patience) {
  request.set_id(++awaited_);
  answer_.reset();
  const std::string bytes = request.SerializeAsString();
  if (!socket_->send(core::as_bytes(bytes)) || !run_until(patience))
    return core::err(std::string(is_closed_ ? "the connection was closed" : "no answer"));
  return std::move(*answer_);
}

bool MediaControl::run_until(core::Duration patience) {
  const core::Instant until = net::monotonic_now() + patience;
  while (!answer_ && !is_closed_) {
    const core::Duration left = until - net::monotonic_now();
    if (left <= core::Duration()) return false;
    loop_.run_once(left);
  }
  return answer_.has_value();
}

}  // namespace huitang::app
