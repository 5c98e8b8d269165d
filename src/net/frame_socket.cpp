#include "net/frame_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/failure.h"

namespace huitang::net {

namespace {

constexpr size_t kHeader = 4;
constexpr size_t kReadChunk = 64 * 1024;
constexpr int kReadsPerTurn = 16;  // so that one talker cannot hold the loop
constexpr size_t kCompactAt = 1 << 20;

core::Result<sockaddr_un, core::Failure> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return core::err(
        core::Failure{std::make_error_code(std::errc::filename_too_long), "socket path " + path});
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd unix_stream() { return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

core::Result<UniqueFd, core::Failure> connect_unix(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return core::err(address.error());
  UniqueFd fd = unix_stream();
  if (!fd) return errno_failure("create socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return errno_failure("connect to " + path);
  return fd;
}

}  // namespace

const char* to_string(FrameClose reason) {
  switch (reason) {
    case FrameClose::Local: return "closed here";
    case FrameClose::Remote: return "closed by the other side";
    case FrameClose::Oversize: return "a frame is over the cap";
    case FrameClose::SlowPeer: return "the other side does not read";
    case FrameClose::Error: return "system error";
  }
  return "?";
}

core::Result<std::unique_ptr<FrameSocket>, core::Failure> FrameSocket::connect(EventLoop& loop,
                                                                               const std::string& path,
                                                                               Handlers handlers,
                                                                               FrameLimits limits) {
  auto fd = connect_unix(path);
  if (!fd) return core::err(fd.error());
  return adopt(loop, std::move(*fd), std::move(handlers), limits);
}

std::unique_ptr<FrameSocket> FrameSocket::adopt(EventLoop& loop, UniqueFd fd, Handlers handlers,
                                                FrameLimits limits) {
  return std::unique_ptr<FrameSocket>(new FrameSocket(loop, std::move(fd), std::move(handlers), limits));
}

FrameSocket::FrameSocket(EventLoop& loop, UniqueFd fd, Handlers handlers, FrameLimits limits)
    : loop_(loop),
      fd_(std::move(fd)),
      handlers_(std::move(handlers)),
      limits_(limits),
      alive_(std::make_shared<bool>(true)) {
  loop_.watch(fd_.get(), {}, [this](core::Instant, Readiness readiness) { on_io(readiness); });
}

FrameSocket::~FrameSocket() {
  *alive_ = false;
  if (fd_) loop_.unwatch(fd_.get());
}

bool FrameSocket::send(core::Bytes frame) {
  if (!fd_ || is_ending_ || frame.size() > limits_.max_frame) return false;
  if (queued() + kHeader + frame.size() > limits_.max_queue) {
    end_soon(FrameClose::SlowPeer);
    return false;
  }
  uint8_t header[kHeader];
  core::store_u32(header, static_cast<uint32_t>(frame.size()));
  out_.insert(out_.end(), header, header + kHeader);
  out_.insert(out_.end(), frame.begin(), frame.end());
  ++counters_.frames_out;
  if (!writing_ && !write_some()) end_soon(FrameClose::Error);
  return true;
}

void FrameSocket::pause() {
  if (!fd_ || is_paused_) return;
  is_paused_ = true;
  watch_for(writing_);
}

void FrameSocket::resume() {
  if (!fd_ || !is_paused_) return;
  is_paused_ = false;
  watch_for(writing_);
  loop_.post([this, alive = alive_] {
    if (*alive && fd_) deliver_frames();
  });
}

void FrameSocket::watch_for(bool writable) {
  loop_.change(fd_.get(), {.read = !is_paused_, .write = writable});
}

void FrameSocket::close() {
  if (!fd_) return;
  write_some();
  loop_.unwatch(fd_.get());
  fd_.reset();
}

void FrameSocket::on_io(Readiness readiness) {
  if (readiness.writable && !write_some()) return end(FrameClose::Error);
  if (readiness.readable || readiness.closed) read_some();
}

/// False when the connection or this object ended meanwhile.
bool FrameSocket::read_some() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const size_t old = in_.size();
    in_.resize(old + kReadChunk);
    const ssize_t n = ::recv(fd_.get(), in_.data() + old, kReadChunk, MSG_DONTWAIT);
    in_.resize(old + static_cast<size_t>(n > 0 ? n : 0));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
      end(n == 0 ? FrameClose::Remote : FrameClose::Error);
      return false;
    }
    counters_.bytes_in += static_cast<uint64_t>(n);
    if (!deliver_frames()) return false;
    if (is_paused_) return true;
  }
  return true;
}

bool FrameSocket::deliver_frames() {
  const std::shared_ptr<bool> alive = alive_;
  size_t at = 0;
  while (!is_paused_ && in_.size() - at >= kHeader) {
    const size_t size = core::load_u32(in_.data() + at);
    if (size > limits_.max_frame) {
      end(FrameClose::Oversize);
      return false;
    }
    if (in_.size() - at - kHeader < size) break;
    ++counters_.frames_in;
    handlers_.on_frame(core::Bytes(in_).subspan(at + kHeader, size));
    if (!*alive || !fd_) return false;
    at += kHeader + size;
  }
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

bool FrameSocket::write_some() {
  while (out_at_ < out_.size()) {
    const ssize_t n =
        ::send(fd_.get(), out_.data() + out_at_, out_.size() - out_at_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return false;
    out_at_ += static_cast<size_t>(n);
    counters_.bytes_out += static_cast<uint64_t>(n);
  }
  if (out_at_ == out_.size() || out_at_ > kCompactAt) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(out_at_));
    out_at_ = 0;
  }
  const bool want = !out_.empty();
  if (want != writing_) watch_for(want);
  writing_ = want;
  return true;
}

void FrameSocket::end(FrameClose reason) {
  if (!fd_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
  const auto on_close = handlers_.on_close;  // a copy: the owner may destroy this object inside
  if (on_close) on_close(reason);
}

/// From the loop, never from inside the sender's own call; once, however often the sender tries.
void FrameSocket::end_soon(FrameClose reason) {
  is_ending_ = true;
  loop_.post([this, alive = alive_, reason] {
    if (*alive) end(reason);
  });
}

core::Result<std::unique_ptr<FrameListener>, core::Failure> FrameListener::listen(EventLoop& loop,
                                                                                  const std::string& path,
                                                                                  AcceptHandler on_accept) {
  if (connect_unix(path))
    return core::err(core::Failure{std::make_error_code(std::errc::address_in_use), "listen on " + path});
  auto fd = bind_at(path);
  if (!fd) return core::err(fd.error());
  return std::unique_ptr<FrameListener>(new FrameListener(loop, std::move(*fd), path, std::move(on_accept)));
}

core::Result<std::unique_ptr<FrameListener>, core::Failure> FrameListener::listen_beside(
    EventLoop& loop, const std::string& path, AcceptHandler on_accept) {
  const std::string beside = path + ".next";
  auto fd = bind_at(beside);
  if (!fd) return core::err(fd.error());
  std::unique_ptr<FrameListener> self(new FrameListener(loop, std::move(*fd), beside, std::move(on_accept)));
  self->final_path_ = path;
  return self;
}

core::Result<void, core::Failure> FrameListener::replace() {
  if (::rename(path_.c_str(), final_path_.c_str()) != 0) return errno_failure("rename to " + final_path_);
  path_ = final_path_;
  return {};
}

core::Result<UniqueFd, core::Failure> FrameListener::bind_at(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return core::err(address.error());
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  UniqueFd fd = unix_stream();
  if (!fd) return errno_failure("create socket");
  const mode_t old_mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_error = errno;
  ::umask(old_mask);
  errno = bind_error;
  if (bound != 0 || ::listen(fd.get(), 8) != 0) return errno_failure("listen on " + path);
  return fd;
}

FrameListener::FrameListener(EventLoop& loop, UniqueFd fd, std::string path, AcceptHandler on_accept)
    : loop_(loop), fd_(std::move(fd)), path_(std::move(path)), on_accept_(std::move(on_accept)) {
  loop_.watch(fd_.get(), {}, [this](core::Instant, Readiness) {
    UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) on_accept_(std::move(connection));
  });
}

FrameListener::~FrameListener() {
  loop_.unwatch(fd_.get());
  if (owns_file_) ::unlink(path_.c_str());
}

}  // namespace huitang::net
