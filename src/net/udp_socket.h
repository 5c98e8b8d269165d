// The UDP socket of a worker: batched receive (recvmmsg, UDP_GRO) and, through SendBatch, batched send.
//
// One per worker, IPv4 or IPv6. A wildcard bind learns by packet-info which local address each datagram came
// to, so that answers leave from there. Addresses are core::SocketAddress throughout; v4 addresses on a
// dual-stack IPv6 socket are the v4-mapped form and therefore the same value.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "net/unique_fd.h"

namespace huitang::net {

struct UdpSocketOptions {
  int receive_buffer = 8 << 20;  ///< bytes asked for; see UdpSocket::receive_buffer()
  int send_buffer = 8 << 20;
  bool gro = true;
  bool gso = true;
  bool reuse_port = false;
  uint8_t dscp = 0;  ///< 0..63, for all that leaves
};

/// Valid until the next receive(). The bytes may be written to (SRTP opens in place).
struct ReceivedDatagram {
  core::SocketAddress from;
  core::IpAddress to;  ///< local address it came to; all zeros when the system did not say
  core::MutableBytes bytes;
};

class UdpSocket {
 public:
  static constexpr size_t kMaxMessages = 32;     ///< of one recvmmsg
  static constexpr size_t kMaxDatagrams = 2048;  ///< of one receive(): 32 messages of at most 64 segments

  struct Counters {
    uint64_t receive_calls = 0, messages_in = 0, datagrams_in = 0, bytes_in = 0;
    uint64_t truncated_in = 0;  ///< longer than a buffer, dropped
    uint64_t errors_in = 0;     ///< asynchronous errors (ICMP) that recvmmsg reported
    uint64_t overflow_in = 0;   ///< datagrams the kernel dropped because our buffer was full (SO_RXQ_OVFL)
  };

  static core::Result<UdpSocket, core::Failure> open(const core::SocketAddress& local,
                                                     const UdpSocketOptions& options = {});
  /// Takes over a bound socket of an earlier process.
  static core::Result<UdpSocket, core::Failure> adopt(UniqueFd fd, const UdpSocketOptions& options = {});
  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  ~UdpSocket();

  int fd() const { return fd_.get(); }
  /// With the port the system chose when 0 was asked.
  const core::SocketAddress& local() const { return local_; }
  bool is_ipv6() const { return ipv6_; }
  bool has_gro() const { return gro_; }
  bool has_gso() const { return gso_; }
  /// What the kernel granted (it may be less than asked without CAP_NET_ADMIN).
  int receive_buffer() const { return receive_buffer_; }
  int send_buffer() const { return send_buffer_; }
  const Counters& counters() const { return counters_; }

  /// Everything that one recvmmsg brings, without blocking; empty when nothing waits. Errors of single
  /// destinations (ICMP) are counted, not returned.
  std::span<const ReceivedDatagram> receive();

  /// One datagram at once, for control traffic and tests; false when the system would not take it (counted by
  /// caller).
  bool send(const core::SocketAddress& to, core::Bytes bytes, const core::IpAddress* from = nullptr);

 private:
  friend class SendBatch;
  struct ReceiveRing;
  UdpSocket() = default;
  core::Result<void, core::Failure> configure(const UdpSocketOptions& options);
  void split(size_t message, size_t size);

  UniqueFd fd_;
  core::SocketAddress local_;
  bool ipv6_ = false, gro_ = false, gso_ = false;
  int receive_buffer_ = 0, send_buffer_ = 0;
  std::unique_ptr<ReceiveRing> ring_;
  Counters counters_;
};

}  // namespace huitang::net
