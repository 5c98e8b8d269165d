#include "net/send_batch.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "net/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // netinet/udp.h of newer C libraries
#endif

namespace huitang::net {

namespace {

struct alignas(cmsghdr) Control {
  uint8_t bytes[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(in6_pktinfo))];
};

template <class T>
void append_control(msghdr& header, Control& control, int level, int type, const T& value) {
  auto* c = reinterpret_cast<cmsghdr*>(control.bytes + header.msg_controllen);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(c), &value, sizeof value);
  header.msg_control = control.bytes;
  header.msg_controllen += CMSG_SPACE(sizeof value);
}

void append_source(msghdr& header, Control& control, const core::IpAddress& from, bool v6_socket) {
  if (from.is_v4() && !v6_socket) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes.data() + 12, 4);
    append_control(header, control, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, from.bytes.data(), 16);
    append_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

}  // namespace

struct SendBatch::State {
  struct Packet {
    Destination destination;
    uint32_t size = 0;
  };
  struct Run {
    uint32_t first = 0;
    uint32_t packets = 0;
    uint32_t bytes = 0;
  };

  explicit State(size_t n)
      : slots(n),
        memory(new uint8_t[n * kSlotSize]),
        packets(n),
        vectors(n),
        messages(n),
        names(n),
        controls(n),
        runs(n) {
    reserved.reserve(n);
  }
  core::MutableBytes slot_at(size_t i) { return {memory.get() + i * kSlotSize, kSlotSize}; }

  size_t slots;
  std::unique_ptr<uint8_t[]> memory;
  std::vector<Packet> packets;
  size_t used = 0;  ///< committed
  size_t open = 0;  ///< handed out after `used`, not yet committed
  std::vector<core::MutableBytes> reserved;
  std::vector<iovec> vectors;
  std::vector<mmsghdr> messages;
  std::vector<KernelAddress> names;
  std::vector<Control> controls;
  std::vector<Run> runs;
};

SendBatch::SendBatch(UdpSocket& socket, const Config& config)
    : s_(std::make_unique<State>(std::max<size_t>(config.slots, 1))),
      socket_(socket),
      gso_(config.gso && socket.has_gso()) {}

SendBatch::~SendBatch() = default;

core::MutableBytes SendBatch::slot(const core::SocketAddress& to, const core::IpAddress& from) {
  if (s_->used == s_->slots) flush();
  s_->packets[s_->used].destination = {to, from};
  s_->open = 1;
  return s_->slot_at(s_->used);
}

void SendBatch::commit(size_t size) {
  HUITANG_DCHECK(s_->open == 1 && size <= kSlotSize);
  s_->open = 0;
  if (size == 0) return;
  s_->packets[s_->used++].size = static_cast<uint32_t>(size);
}

std::span<const core::MutableBytes> SendBatch::reserve(std::span<const Destination> destinations) {
  HUITANG_CHECK(destinations.size() <= s_->slots);
  if (s_->used + destinations.size() > s_->slots) flush();
  s_->reserved.clear();
  for (size_t i = 0; i < destinations.size(); ++i) {
    s_->packets[s_->used + i].destination = destinations[i];
    s_->reserved.push_back(s_->slot_at(s_->used + i));
  }
  s_->open = destinations.size();
  return s_->reserved;
}

/// A size of 0 abandons its slot; those behind it keep their places, so nothing is copied.
void SendBatch::commit_reserved(std::span<const size_t> sizes) {
  HUITANG_DCHECK(sizes.size() == s_->open);
  for (const size_t size : sizes) s_->packets[s_->used++].size = static_cast<uint32_t>(size);
  s_->open = 0;
}

void SendBatch::add(const core::SocketAddress& to, core::Bytes bytes, const core::IpAddress& from) {
  if (bytes.size() > kSlotSize) {
    ++counters_.refused;
    return;
  }
  std::memcpy(slot(to, from).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

size_t SendBatch::pending() const { return s_->used; }

/// How many packets from `first` on can leave as one message: one destination, equal sizes, a shorter one
/// last.
size_t SendBatch::run_length(size_t first) const {
  const State::Packet& head = s_->packets[first];
  if (!gso_) return 1;
  size_t bytes = head.size;
  size_t n = 1;
  while (first + n < s_->used && n < kMaxSegments) {
    const State::Packet& next = s_->packets[first + n];
    const bool joins = next.size != 0 && next.size <= head.size && bytes + next.size <= kMaxRunBytes &&
                       next.destination.to == head.destination.to &&
                       next.destination.from == head.destination.from;
    if (!joins) break;
    bytes += next.size;
    ++n;
    if (next.size < head.size) break;
  }
  return n;
}

/// Fills messages for the packets from `first` on; returns how many messages.
size_t SendBatch::build_messages(size_t first) {
  size_t count = 0;
  for (size_t at = first; at < s_->used;) {
    if (s_->packets[at].size == 0) {
      ++at;
      continue;
    }
    const size_t n = run_length(at);
    State::Run& run = s_->runs[count] = {static_cast<uint32_t>(at), static_cast<uint32_t>(n), 0};
    for (size_t i = at; i < at + n; ++i) {
      s_->vectors[i] = {s_->memory.get() + i * kSlotSize, s_->packets[i].size};
      run.bytes += s_->packets[i].size;
    }
    const Destination& destination = s_->packets[at].destination;
    s_->names[count] = to_kernel(destination.to, socket_.is_ipv6());
    msghdr& header = s_->messages[count].msg_hdr;
    header = {};
    header.msg_name = &s_->names[count].storage;
    header.msg_namelen = s_->names[count].size;
    header.msg_iov = &s_->vectors[at];
    header.msg_iovlen = n;
    if (n > 1)
      append_control(header, s_->controls[count], SOL_UDP, UDP_SEGMENT,
                     static_cast<uint16_t>(s_->packets[at].size));
    if (!is_unset(destination.from))
      append_source(header, s_->controls[count], destination.from, socket_.is_ipv6());
    ++count;
    at += n;
  }
  return count;
}

/// A run that segmentation was refused for (some tunnels and devices): packet by packet.
void SendBatch::send_singly(size_t message) {
  const State::Run& run = s_->runs[message];
  ++counters_.gso_fallbacks;
  for (size_t i = run.first; i < run.first + run.packets; ++i) {
    msghdr header = s_->messages[message].msg_hdr;
    Control control{};
    header.msg_iov = &s_->vectors[i];
    header.msg_iovlen = 1;
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    const Destination& destination = s_->packets[i].destination;
    if (!is_unset(destination.from)) append_source(header, control, destination.from, socket_.is_ipv6());
    ++counters_.calls;
    if (::sendmsg(socket_.fd(), &header, MSG_DONTWAIT) < 0) {
      ++(errno == EAGAIN || errno == ENOBUFS ? counters_.blocked : counters_.refused);
      continue;
    }
    ++counters_.runs;
    ++counters_.datagrams;
    counters_.bytes += s_->packets[i].size;
  }
}

void SendBatch::send_messages(size_t count) {
  for (size_t at = 0; at < count;) {
    ++counters_.calls;
    const int n =
        ::sendmmsg(socket_.fd(), s_->messages.data() + at, static_cast<unsigned>(count - at), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      // A full socket buffer is full for all destinations: asking again for each would only burn the turn.
      if (errno == EAGAIN || errno == ENOBUFS) return drop_blocked(at, count);
      const State::Run& run = s_->runs[at];
      if (run.packets > 1 && (errno == EIO || errno == EINVAL || errno == EOPNOTSUPP || errno == EMSGSIZE))
        send_singly(at);
      else
        counters_.refused += run.packets;
      ++at;
      continue;
    }
    for (size_t i = at; i < at + static_cast<size_t>(n); ++i) {
      counters_.datagrams += s_->runs[i].packets;
      counters_.bytes += s_->runs[i].bytes;
    }
    counters_.runs += static_cast<uint64_t>(n);
    at += static_cast<size_t>(n);
  }
}

void SendBatch::drop_blocked(size_t first, size_t count) {
  for (size_t i = first; i < count; ++i) counters_.blocked += s_->runs[i].packets;
}

void SendBatch::flush() {
  HUITANG_DCHECK(s_->open == 0);
  if (s_->used == 0) return;
  send_messages(build_messages(0));
  s_->used = 0;
}

}  // namespace huitang::net
