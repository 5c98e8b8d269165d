#include "net/udp_socket.h"

#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // netinet/udp.h of newer C libraries
#endif

namespace huitang::net {

namespace {

core::Failure last_failure(std::string context) {
  return core::Failure{std::error_code(errno, std::generic_category()), std::move(context)};
}

core::SocketAddress from_sockaddr(const sockaddr_in6& raw) {
  core::SocketAddress address;
  if (raw.sin6_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &raw, sizeof v4);
    uint8_t b[4];
    std::memcpy(b, &v4.sin_addr, 4);
    address.ip = core::IpAddress::v4(b[0], b[1], b[2], b[3]);
    address.port = ntohs(v4.sin_port);
  } else {
    std::memcpy(address.ip.bytes.data(), &raw.sin6_addr, 16);
    address.port = ntohs(raw.sin6_port);
  }
  return address;
}

/// Asks for `wanted` bytes past the system's limit when permitted; returns what is in force.
int set_buffer(int fd, int force_option, int option, int wanted) {
  if (::setsockopt(fd, SOL_SOCKET, force_option, &wanted, sizeof wanted) != 0)
    ::setsockopt(fd, SOL_SOCKET, option, &wanted, sizeof wanted);
  int got = 0;
  socklen_t size = sizeof got;
  ::getsockopt(fd, SOL_SOCKET, option, &got, &size);
  return got / 2;  // the kernel doubles what it was asked for (socket(7))
}

}  // namespace

Destination::Destination(const core::SocketAddress& address) {
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.bytes.data() + 12, 4);
    std::memcpy(&storage_, &v4, sizeof v4);
    size_ = sizeof v4;
  } else {
    storage_.sin6_family = AF_INET6;
    storage_.sin6_port = htons(address.port);
    std::memcpy(&storage_.sin6_addr, address.ip.bytes.data(), 16);
    size_ = sizeof storage_;
  }
}

core::Result<UdpSocket, core::Failure> UdpSocket::open(const UdpConfig& config) {
  const bool v4 = config.bind.ip.is_v4();
  UdpSocket socket(Fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
  if (!socket.fd_.is_open()) return core::err(last_failure("create UDP socket"));
  const int fd = socket.fd();
  socket.receive_buffer_ = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, config.receive_buffer);
  socket.send_buffer_ = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, config.send_buffer);
  if (config.dscp != 0) {
    const int tos = config.dscp << 2;
    ::setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos);
  }
  const Destination bind_to(config.bind);
  if (::bind(fd, bind_to.data(), bind_to.size()) != 0)
    return core::err(last_failure("bind UDP " + core::to_string(config.bind)));
  sockaddr_in6 raw{};
  socklen_t size = sizeof raw;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size);
  socket.local_ = from_sockaddr(raw);
  return socket;
}

size_t UdpSocket::receive(std::span<ReceiveSlot> slots) {
  const size_t offered = std::min(slots.size(), kMaxReceiveBatch);
  std::array<mmsghdr, kMaxReceiveBatch> messages;
  std::array<iovec, kMaxReceiveBatch> vectors;
  std::array<sockaddr_in6, kMaxReceiveBatch> names;
  for (size_t i = 0; i < offered; ++i) {
    vectors[i] = {slots[i].buffer.data(), slots[i].buffer.size()};
    messages[i] = {};
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int n = ::recvmmsg(fd(), messages.data(), static_cast<unsigned>(offered), MSG_DONTWAIT, nullptr);
  if (n <= 0) return 0;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    ReceiveSlot& slot = slots[i];
    const bool oversize = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    slot.size = oversize ? 0 : messages[i].msg_len;
    slot.from = from_sockaddr(names[i]);
    counters_.oversize_in += oversize;
    counters_.bytes_in += slot.size;
  }
  counters_.packets_in += static_cast<uint64_t>(n);
  return static_cast<size_t>(n);
}

bool UdpSocket::send(const Destination& to, core::Bytes bytes) {
  ++counters_.send_calls;
  const auto n = ::sendto(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT, to.data(), to.size());
  if (n < 0) {
    ++counters_.dropped_out;
    return false;
  }
  ++counters_.packets_out;
  ++counters_.messages_out;
  counters_.bytes_out += bytes.size();
  return true;
}

uint64_t UdpSocket::kernel_drops() const {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof info;
  if (::getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, info, &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

struct SendBatch::Headers {
  std::array<mmsghdr, kMaxPackets> messages;
  std::array<iovec, kMaxPackets> vectors;
  struct alignas(cmsghdr) Control {
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
  };
  std::array<Control, kMaxPackets> controls;
};

SendBatch::SendBatch() : arena_(new uint8_t[kMaxPackets * kSlotSize]), headers_(std::make_unique<Headers>()) {
  runs_.reserve(kMaxPackets);
}

SendBatch::~SendBatch() = default;

core::MutableBytes SendBatch::slot() {
  HUITANG_DCHECK(!is_full());
  return {arena_.get() + used_, kSlotSize};
}

void SendBatch::commit(size_t size, const Destination* to) {
  HUITANG_DCHECK(size > 0 && size <= kSlotSize && !is_full());
  Run* last = runs_.empty() ? nullptr : &runs_.back();
  if (last != nullptr && last->open && last->to == to && size <= last->segment &&
      last->packets < kMaxSegments && last->bytes + size <= kMaxRunBytes) {
    last->bytes += size;
    ++last->packets;
    last->open = size == last->segment;
  } else {
    runs_.push_back({to, used_, size, static_cast<uint16_t>(size), 1, true});
  }
  used_ += size;
  ++packets_;
}

void SendBatch::fill_message(size_t index, const Run& run) {
  mmsghdr& m = headers_->messages[index];
  m = {};
  headers_->vectors[index] = {arena_.get() + run.offset, run.bytes};
  m.msg_hdr.msg_name = const_cast<sockaddr*>(run.to->data());
  m.msg_hdr.msg_namelen = run.to->size();
  m.msg_hdr.msg_iov = &headers_->vectors[index];
  m.msg_hdr.msg_iovlen = 1;
  if (run.packets == 1) return;
  m.msg_hdr.msg_control = headers_->controls[index].bytes;
  m.msg_hdr.msg_controllen = sizeof headers_->controls[index].bytes;
  cmsghdr* c = CMSG_FIRSTHDR(&m.msg_hdr);
  c->cmsg_level = SOL_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  std::memcpy(CMSG_DATA(c), &run.segment, sizeof run.segment);
}

/// A message the kernel refused. Where segmentation offload is not to be had (EIO, EINVAL, EOPNOTSUPP: some
/// devices and tunnels), its packets go out one by one and offload stays off for this socket.
void SendBatch::drop_or_split(UdpSocket& socket, const Run& run, int error) {
  const bool offload_refused = run.packets > 1 && (error == EIO || error == EINVAL || error == EOPNOTSUPP);
  if (!offload_refused) {
    socket.counters_.dropped_out += run.packets;
    return;
  }
  if (error != EINVAL) socket.gso_ = false;
  for (size_t at = 0; at < run.bytes; at += run.segment)
    socket.send(*run.to, {arena_.get() + run.offset + at, std::min<size_t>(run.segment, run.bytes - at)});
}

void SendBatch::flush(UdpSocket& socket) {
  if (!socket.gso_) {
    for (const Run& run : runs_)
      for (size_t at = 0; at < run.bytes; at += run.segment)
        socket.send(*run.to, {arena_.get() + run.offset + at, std::min<size_t>(run.segment, run.bytes - at)});
    runs_.clear();
  }
  for (size_t i = 0; i < runs_.size(); ++i) fill_message(i, runs_[i]);
  for (size_t at = 0; at < runs_.size();) {
    ++socket.counters_.send_calls;
    const int n = ::sendmmsg(socket.fd(), headers_->messages.data() + at,
                             static_cast<unsigned>(runs_.size() - at), MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      drop_or_split(socket, runs_[at], errno);
      ++at;
      continue;
    }
    for (size_t i = at; i < at + static_cast<size_t>(n); ++i) {
      socket.counters_.packets_out += runs_[i].packets;
      socket.counters_.bytes_out += runs_[i].bytes;
    }
    socket.counters_.messages_out += static_cast<uint64_t>(n);
    at += static_cast<size_t>(n);
  }
  runs_.clear();
  used_ = 0;
  packets_ = 0;
}

}  // namespace huitang::net
