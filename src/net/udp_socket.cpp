#include "net/udp_socket.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/failure.h"
#include "net/send_batch.h"
#include "net/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // netinet/udp.h of newer C libraries
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace huitang::net {

namespace {

constexpr size_t kBufferSize = 65'536;  // with GRO one message holds up to 64 KiB of segments
constexpr size_t kSingleSize = 2'048;   // without GRO: above any MTU we answer to

/// Asks for `wanted` bytes past the system's limit when permitted; returns what is in force.
int set_buffer(int fd, int force_option, int option, int wanted) {
  if (::setsockopt(fd, SOL_SOCKET, force_option, &wanted, sizeof wanted) != 0)
    ::setsockopt(fd, SOL_SOCKET, option, &wanted, sizeof wanted);
  int got = 0;
  socklen_t size = sizeof got;
  ::getsockopt(fd, SOL_SOCKET, option, &got, &size);
  return got / 2;  // the kernel doubles what it was asked for (socket(7))
}

bool enable(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

struct Ancillary {
  core::IpAddress to;
  size_t segment = 0;
  uint32_t overflow = 0;
};

Ancillary read_ancillary(const msghdr& header) {
  Ancillary out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&header), c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      uint8_t b[4];
      std::memcpy(b, &info.ipi_spec_dst, 4);
      out.to = core::IpAddress::v4(b[0], b[1], b[2], b[3]);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      std::memcpy(out.to.bytes.data(), &info.ipi6_addr, 16);
    } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      int segment = 0;
      std::memcpy(&segment, CMSG_DATA(c), sizeof segment);
      out.segment = static_cast<size_t>(segment);
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&out.overflow, CMSG_DATA(c), sizeof out.overflow);
    }
  }
  return out;
}

}  // namespace

struct UdpSocket::ReceiveRing {
  struct alignas(cmsghdr) Control {
    uint8_t bytes[128];
  };
  explicit ReceiveRing(size_t size) : buffer_size(size), memory(new uint8_t[size * kMaxMessages]) {
    out.reserve(kMaxDatagrams);
  }
  size_t buffer_size;
  std::unique_ptr<uint8_t[]> memory;
  std::array<mmsghdr, kMaxMessages> messages;
  std::array<iovec, kMaxMessages> vectors;
  std::array<sockaddr_in6, kMaxMessages> names;
  std::array<Control, kMaxMessages> controls;
  std::vector<ReceivedDatagram> out;
  uint32_t last_overflow = 0;
};

UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

core::Result<UdpSocket, core::Failure> UdpSocket::open(const core::SocketAddress& local,
                                                       const UdpSocketOptions& options) {
  UdpSocket s;
  s.ipv6_ = !local.ip.is_v4();
  s.fd_ = UniqueFd(::socket(s.ipv6_ ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!s.fd_) return errno_failure("create UDP socket");
  if (options.reuse_port) enable(s.fd(), SOL_SOCKET, SO_REUSEPORT);
  if (s.ipv6_) {
    const int off = 0;
    ::setsockopt(s.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const KernelAddress to = to_kernel(local, s.ipv6_);
  if (::bind(s.fd(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0)
    return errno_failure("bind UDP " + core::to_string(local));
  if (auto done = s.configure(options); !done) return core::err(done.error());
  return s;
}

core::Result<UdpSocket, core::Failure> UdpSocket::adopt(UniqueFd fd, const UdpSocketOptions& options) {
  UdpSocket s;
  s.fd_ = std::move(fd);
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(s.fd(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
    return errno_failure("adopt UDP socket");
  s.ipv6_ = domain == AF_INET6;
  if (auto done = s.configure(options); !done) return core::err(done.error());
  return s;
}

core::Result<void, core::Failure> UdpSocket::configure(const UdpSocketOptions& options) {
  sockaddr_in6 raw{};
  socklen_t size = sizeof raw;
  if (::getsockname(fd(), reinterpret_cast<sockaddr*>(&raw), &size) != 0)
    return errno_failure("read socket address");
  local_ = from_kernel(raw);
  receive_buffer_ = set_buffer(fd(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  send_buffer_ = set_buffer(fd(), SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer);
  enable(fd(), SOL_SOCKET, SO_RXQ_OVFL);
  const bool wildcard = is_unset(local_.ip) || local_.ip == core::IpAddress::v4(0, 0, 0, 0);
  if (wildcard) {
    enable(fd(), IPPROTO_IP, IP_PKTINFO);
    if (ipv6_) enable(fd(), IPPROTO_IPV6, IPV6_RECVPKTINFO);
  }
  if (options.dscp != 0) {
    const int tos = options.dscp << 2;
    ::setsockopt(fd(), IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    if (ipv6_) ::setsockopt(fd(), IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
  }
  // Large datagrams are fragmented on the way rather than refused: a path (VPN) below our MTU budget would
  // otherwise lose every full packet, and a forged ICMP message could shrink any.
  const int fragment = IP_PMTUDISC_DONT, fragment_v6 = IPV6_PMTUDISC_DONT;
  ::setsockopt(fd(), IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof fragment);
  if (ipv6_) ::setsockopt(fd(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &fragment_v6, sizeof fragment_v6);
  gro_ = options.gro && enable(fd(), SOL_UDP, UDP_GRO);
  int segment = 0;
  socklen_t segment_size = sizeof segment;
  gso_ = options.gso && ::getsockopt(fd(), SOL_UDP, UDP_SEGMENT, &segment, &segment_size) == 0;
  ring_ = std::make_unique<ReceiveRing>(gro_ ? kBufferSize : kSingleSize);
  return {};
}

std::span<const ReceivedDatagram> UdpSocket::receive() {
  ReceiveRing& ring = *ring_;
  ring.out.clear();
  for (size_t i = 0; i < kMaxMessages; ++i) {
    ring.vectors[i] = {ring.memory.get() + i * ring.buffer_size, ring.buffer_size};
    msghdr& h = ring.messages[i].msg_hdr;
    h = {};
    h.msg_name = &ring.names[i];
    h.msg_namelen = sizeof ring.names[i];
    h.msg_iov = &ring.vectors[i];
    h.msg_iovlen = 1;
    h.msg_control = ring.controls[i].bytes;
    h.msg_controllen = sizeof ring.controls[i].bytes;
  }
  ++counters_.receive_calls;
  const int n = ::recvmmsg(fd(), ring.messages.data(), kMaxMessages, MSG_DONTWAIT, nullptr);
  if (n < 0) {
    counters_.errors_in += errno != EAGAIN && errno != EINTR;
    return {};
  }
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) split(i, ring.messages[i].msg_len);
  return ring.out;
}

/// One message of the kernel is one datagram, or (GRO) a train of equal ones with a shorter last.
void UdpSocket::split(size_t message, size_t size) {
  ReceiveRing& ring = *ring_;
  const msghdr& header = ring.messages[message].msg_hdr;
  const Ancillary extra = read_ancillary(header);
  ++counters_.messages_in;
  counters_.overflow_in += extra.overflow - ring.last_overflow;
  ring.last_overflow = extra.overflow != 0 ? extra.overflow : ring.last_overflow;
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    ++counters_.truncated_in;
    return;
  }
  const core::SocketAddress from = from_kernel(ring.names[message]);
  const core::IpAddress to = is_unset(extra.to) ? core::IpAddress() : extra.to;
  const size_t segment = extra.segment != 0 ? extra.segment : size;
  uint8_t* base = ring.memory.get() + message * ring.buffer_size;
  for (size_t at = 0; at < size && ring.out.size() < kMaxDatagrams; at += segment) {
    const size_t length = std::min(segment, size - at);
    ring.out.push_back({from, to, {base + at, length}});
    ++counters_.datagrams_in;
    counters_.bytes_in += length;
  }
}

bool UdpSocket::send(const core::SocketAddress& to, core::Bytes bytes, const core::IpAddress* from) {
  const KernelAddress address = to_kernel(to, ipv6_);
  if (from == nullptr || is_unset(*from))
    return ::sendto(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                    reinterpret_cast<const sockaddr*>(&address.storage), address.size) >= 0;
  SendBatch::Config config{.slots = 1, .gso = false};
  SendBatch one(*this, config);
  one.add(to, bytes, *from);
  one.flush();
  return one.counters().datagrams == 1;
}

}  // namespace huitang::net
