#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "api/fake_media_for_test.h"
#include "api/media_protocol.h"
#include "core/check.h"

namespace huitang::api {

FakeMedia::FakeMedia(std::string path, std::string node_id)
    : path_(std::move(path)), node_id_(std::move(node_id)) {
  unlink(path_.c_str());
  listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  HUITANG_CHECK(path_.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  HUITANG_CHECK(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  HUITANG_CHECK(listen(listener_.get(), 4) == 0);
  thread_ = std::thread([this] { run(); });
}

FakeMedia::~FakeMedia() {
  stopping_ = true;
  shutdown(listener_.get(), SHUT_RDWR);
  {
    const std::lock_guard lock(mutex_);
    if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
  }
  thread_.join();
  unlink(path_.c_str());
}

void FakeMedia::run() {
  while (!stopping_) {
    const net::UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    {
      const std::lock_guard lock(mutex_);
      connection_ = fd.get();
    }
    serve(fd.get());
    const std::lock_guard lock(mutex_);
    connection_ = -1;
  }
}

void FakeMedia::serve(int fd) {
  MediaFrameReader reader;
  uint8_t part[4096];
  for (;;) {
    const ssize_t n = read(fd, part, sizeof part);
    if (n <= 0) return;
    reader.append({part, static_cast<size_t>(n)});
    v1::MediaMessage request;
    for (;;) {
      const core::Result<bool, core::ParseError> next = reader.next(request);
      HUITANG_CHECK(next.has_value());
      if (!*next) break;
      v1::MediaMessage reply = answer(request);
      reply.set_reply_to(request.id());
      const std::lock_guard lock(mutex_);
      asked_.push_back(request);
      write(fd, reply);
    }
  }
}

v1::MediaMessage FakeMedia::answer(const v1::MediaMessage& request) {
  v1::MediaMessage reply;
  if (request.has_hello()) {
    reply.mutable_welcome()->set_version(1);
    reply.mutable_welcome()->set_node_id(node_id_);
    reply.mutable_welcome()->set_workers(1);
  } else if (request.has_get_snapshot()) {
    reply.mutable_snapshot();
  } else if (request.has_open_peer() && request.open_peer().offer() == "broken") {
    reply.mutable_error()->set_code(v1::REFUSAL_CODE_BAD_SDP);
    reply.mutable_error()->set_detail("not an offer");
  } else if (request.has_open_peer()) {
    reply.mutable_peer_opened()->set_answer("answer to " + request.open_peer().offer());
  } else {
    reply.mutable_done();
  }
  return reply;
}

void FakeMedia::write(int fd, const v1::MediaMessage& message) {
  const std::string frame = write_media_frame(message);
  const ssize_t sent = ::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL);
  // A serve that ends leaves its last requests unanswered.
  HUITANG_CHECK(sent == static_cast<ssize_t>(frame.size()) || errno == EPIPE || errno == ECONNRESET);
}

void FakeMedia::send_event(const v1::MediaMessage& event) {
  const std::lock_guard lock(mutex_);
  if (connection_ >= 0) write(connection_, event);
}

size_t FakeMedia::count(const std::function<bool(const v1::MediaMessage&)>& condition) const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(asked_, condition));
}

}  // namespace huitang::api
