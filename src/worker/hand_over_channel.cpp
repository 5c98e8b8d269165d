#include "worker/hand_over_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "crypto/hash.h"
#include "net/clock.h"

namespace huitang::worker {

namespace {

constexpr size_t kLengthSize = 4, kDigestSize = 8;
constexpr size_t kHeader = kLengthSize + kDigestSize;
constexpr size_t kReadChunk = 256 * 1024;

/// Room for the descriptors of one frame, aligned as the system wants it.
union Control {
  cmsghdr aligner;
  uint8_t bytes[CMSG_SPACE(HandOverChannel::kMaxDescriptors * sizeof(int))];
};

}  // namespace

HandOverChannel::HandOverChannel(net::UniqueFd fd, size_t max_frame)
    : fd_(std::move(fd)), max_frame_(max_frame) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  ::fcntl(fd_.get(), F_SETFD, FD_CLOEXEC);
}

HandOverChannel::Pair HandOverChannel::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  return {net::UniqueFd(ends[0]), net::UniqueFd(ends[1])};
}

bool HandOverChannel::wait(short events, core::Instant until) {
  for (;;) {
    const core::Duration left = until - net::monotonic_now();
    if (left <= core::Duration()) return false;
    pollfd one{fd_.get(), events, 0};
    const int64_t millis = std::min<int64_t>(left.to_millis() + 1, 60'000);
    const int n = ::poll(&one, 1, static_cast<int>(millis));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

core::Result<void, std::string> HandOverChannel::send(const v1::HandOverMessage& message,
                                                      core::Duration patience,
                                                      std::span<const int> descriptors) {
  std::string frame(kHeader, '\0');
  message.AppendToString(&frame);
  auto* const head = reinterpret_cast<uint8_t*>(frame.data());
  const auto digest = crypto::sha256(core::as_bytes(frame).subspan(kHeader));
  core::store_u32(head, static_cast<uint32_t>(frame.size() - kHeader));
  std::copy_n(digest.begin(), kDigestSize, head + kLengthSize);
  const core::Instant until = net::monotonic_now() + patience;
  for (size_t at = 0; at < frame.size();) {
    iovec part{frame.data() + at, frame.size() - at};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    Control control{};
    if (at == 0 && !descriptors.empty()) {
      header.msg_control = control.bytes;
      header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* c = CMSG_FIRSTHDR(&header);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t n = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
    if (n >= 0) {
      at += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(POLLOUT, until)) return core::err(std::string("it does not read"));
    } else if (errno != EINTR) {
      return core::err(std::string("it is gone"));
    }
  }
  return {};
}

/// False when nothing is there at the moment, or never again.
bool HandOverChannel::read_some() {
  const size_t old = in_.size();
  in_.resize(old + kReadChunk);
  iovec part{in_.data() + old, kReadChunk};
  Control control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  const ssize_t n = ::recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  in_.resize(old + static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) closed_ = true;
  if (n <= 0) return false;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      descriptors_.emplace_back(fd);
    }
  }
  return true;
}

core::Result<std::optional<v1::HandOverMessage>, std::string> HandOverChannel::take_frame() {
  std::optional<v1::HandOverMessage> out;
  if (in_.size() < kHeader) return out;
  const size_t size = core::load_u32(in_.data());
  if (size > max_frame_) return core::err(std::string("it says what is no hand-over message"));
  if (in_.size() - kHeader < size) return out;
  const auto digest = crypto::sha256(core::Bytes(in_).subspan(kHeader, size));
  if (!std::equal(digest.begin(), digest.begin() + kDigestSize, in_.begin() + kLengthSize))
    return core::err(std::string("it says what is no hand-over message"));
  out.emplace();
  if (!out->ParseFromArray(in_.data() + kHeader, static_cast<int>(size)))
    return core::err(std::string("it says what is no hand-over message"));
  in_.erase(in_.begin(), in_.begin() + static_cast<ptrdiff_t>(kHeader + size));
  return out;
}

core::Result<std::optional<v1::HandOverMessage>, std::string> HandOverChannel::poll() {
  for (;;) {
    auto frame = take_frame();
    if (!frame || *frame) return frame;
    if (!read_some()) break;
  }
  if (closed_) return core::err(std::string("it ended"));
  return std::optional<v1::HandOverMessage>();
}

core::Result<v1::HandOverMessage, std::string> HandOverChannel::receive(
    std::optional<core::Duration> patience) {
  const core::Instant until = patience ? net::monotonic_now() + *patience : core::Instant::far_future();
  for (;;) {
    auto frame = poll();
    if (!frame) return core::err(frame.error());
    if (*frame) return std::move(**frame);
    if (!wait(POLLIN, until)) return core::err(std::string("it does not answer"));
  }
}

}  // namespace huitang::worker
