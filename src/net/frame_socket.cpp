#include "net/frame_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace huitang::net {

namespace {

constexpr size_t kHeader = 4;

core::Failure last_failure(std::string context) {
  return core::Failure{std::error_code(errno, std::generic_category()), std::move(context)};
}

core::Result<sockaddr_un, core::Failure> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return core::err(
        core::Failure{std::make_error_code(std::errc::filename_too_long), "socket path " + path});
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Fd unix_stream() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

}  // namespace

const char* to_string(FrameSocket::CloseReason reason) {
  switch (reason) {
    case FrameSocket::CloseReason::PeerClosed: return "closed by the other side";
    case FrameSocket::CloseReason::FrameTooLarge: return "frame too large";
    case FrameSocket::CloseReason::QueueFull: return "the other side does not read";
    case FrameSocket::CloseReason::SocketError: return "socket error";
  }
  return "?";
}

FrameSocket::FrameSocket(EventLoop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) {}

FrameSocket::~FrameSocket() {
  *alive_ = false;
  if (fd_.is_open()) loop_.unwatch(fd_.get());
}

void FrameSocket::start(OnFrame on_frame, OnClose on_close) {
  on_frame_ = std::move(on_frame);
  on_close_ = std::move(on_close);
  loop_.watch(fd_.get(), [this](Ready ready) { on_ready(ready); });
}

bool FrameSocket::send(core::Bytes frame) {
  if (!fd_.is_open()) return false;
  const bool fits = frame.size() <= kMaxFrame && queued_bytes() + frame.size() + kHeader <= kMaxQueued;
  if (!fits) {
    const auto reason = frame.size() > kMaxFrame ? CloseReason::FrameTooLarge : CloseReason::QueueFull;
    loop_.post([this, alive = alive_, reason] {
      if (*alive) close(reason);
    });
    return false;
  }
  uint8_t header[kHeader];
  core::store_u32(header, static_cast<uint32_t>(frame.size()));
  outgoing_.insert(outgoing_.end(), header, header + kHeader);
  outgoing_.insert(outgoing_.end(), frame.begin(), frame.end());
  if (!want_write_ && !write_some())
    loop_.post([this, alive = alive_] {
      if (*alive) close(CloseReason::SocketError);
    });
  return true;
}

void FrameSocket::on_ready(Ready ready) {
  const std::shared_ptr<bool> alive = alive_;
  if (ready.writable && !write_some()) return close(CloseReason::SocketError);
  if (ready.readable || ready.hung_up) {
    if (!read_some()) return;
    if (!*alive || !fd_.is_open()) return;
  }
}

/// False when the socket was closed or this object destroyed meanwhile.
bool FrameSocket::read_some() {
  const std::shared_ptr<bool> alive = alive_;
  for (int round = 0; round < 16; ++round) {  // bounded, so that one talker cannot hold the loop
    uint8_t chunk[65536];
    const ssize_t n = ::recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
      close(n == 0 ? CloseReason::PeerClosed : CloseReason::SocketError);
      return false;
    }
    incoming_.insert(incoming_.end(), chunk, chunk + n);
    if (!parse_frames()) return false;
  }
  return true;
}

bool FrameSocket::parse_frames() {
  const std::shared_ptr<bool> alive = alive_;
  size_t at = 0;
  while (incoming_.size() - at >= kHeader) {
    const size_t size = core::load_u32(incoming_.data() + at);
    if (size > kMaxFrame) {
      close(CloseReason::FrameTooLarge);
      return false;
    }
    if (incoming_.size() - at - kHeader < size) break;
    on_frame_(core::Bytes(incoming_).subspan(at + kHeader, size));
    if (!*alive || !fd_.is_open()) return false;
    at += kHeader + size;
  }
  incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

bool FrameSocket::write_some() {
  while (written_ < outgoing_.size()) {
    const ssize_t n = ::send(fd_.get(), outgoing_.data() + written_, outgoing_.size() - written_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return false;
    written_ += static_cast<size_t>(n);
  }
  if (written_ == outgoing_.size()) {
    outgoing_.clear();
    written_ = 0;
  } else if (written_ > kMaxFrame) {
    outgoing_.erase(outgoing_.begin(), outgoing_.begin() + static_cast<std::ptrdiff_t>(written_));
    written_ = 0;
  }
  const bool want = !outgoing_.empty();
  if (want != want_write_) loop_.set_want_write(fd_.get(), want);
  want_write_ = want;
  return true;
}

void FrameSocket::close(CloseReason reason) {
  if (!fd_.is_open()) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
  const OnClose on_close = std::move(on_close_);
  if (on_close) on_close(reason);
}

core::Result<Fd, core::Failure> connect_unix(const std::string& path) {
  auto address = unix_address(path);
  if (!address) return core::err(address.error());
  Fd fd = unix_stream();
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return core::err(last_failure("connect to " + path));
  return fd;
}

core::Result<std::unique_ptr<FrameListener>, core::Failure> FrameListener::open(EventLoop& loop,
                                                                                const std::string& path,
                                                                                OnAccept on_accept) {
  auto address = unix_address(path);
  if (!address) return core::err(address.error());
  if (connect_unix(path))
    return core::err(core::Failure{std::make_error_code(std::errc::address_in_use), "listen on " + path});
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  Fd fd = unix_stream();
  const mode_t old_mask = ::umask(0077);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_errno = errno;
  ::umask(old_mask);
  errno = bind_errno;
  if (bound != 0 || ::listen(fd.get(), 8) != 0) return core::err(last_failure("listen on " + path));
  return std::unique_ptr<FrameListener>(new FrameListener(loop, std::move(fd), path, std::move(on_accept)));
}

FrameListener::FrameListener(EventLoop& loop, Fd fd, std::string path, OnAccept on_accept)
    : loop_(loop), fd_(std::move(fd)), path_(std::move(path)), on_accept_(std::move(on_accept)) {
  loop_.watch(fd_.get(), [this](Ready) {
    Fd accepted(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.is_open()) on_accept_(std::move(accepted));
  });
}

FrameListener::~FrameListener() {
  loop_.unwatch(fd_.get());
  ::unlink(path_.c_str());
}

}  // namespace huitang::net
