// Collects the datagrams of one loop turn and sends them with few system calls.
//
// Packets are written into preallocated slots. Consecutive packets to one destination form a run: as long as
// sizes are equal (the last may be shorter) a run leaves as one UDP_SEGMENT message, so a caller gains by
// committing the packets of one destination one after the other and, where formats allow, padding them to one
// size. All runs leave by sendmmsg.
//
//   core::MutableBytes slot = batch.slot(to);          // room for kSlotSize bytes
//   batch.commit(sealer.seal_rtp(index, header, payload, slot));
//   ...
//   batch.flush();                                     // flushes by itself when slots run out
//
// For seal_rtp_batch several slots may be taken before their commits with reserve().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/address.h"
#include "core/bytes.h"
#include "net/udp_socket.h"

namespace huitang::net {

class SendBatch {
 public:
  /// Largest datagram: Ethernet's 1500 less the smallest IP and UDP headers.
  static constexpr size_t kSlotSize = 1472;
  static constexpr size_t kMaxSegments = 64;      ///< UDP_MAX_SEGMENTS of the kernel
  static constexpr size_t kMaxRunBytes = 65'000;  ///< below the 65,507 of one UDP payload

  struct Config {
    size_t slots = 1024;
    bool gso = true;
  };
  struct Counters {
    uint64_t datagrams = 0, bytes = 0;  ///< given to the kernel
    uint64_t runs = 0;                  ///< messages; datagrams / runs is the gain of segmentation
    uint64_t calls = 0;                 ///< sendmmsg
    uint64_t blocked = 0;               ///< datagrams dropped because the socket buffer was full
    uint64_t refused = 0;               ///< datagrams dropped for another error (no route, too large, ...)
    uint64_t gso_fallbacks = 0;         ///< runs sent one by one because segmentation was refused
  };

  /// `socket` outlives the batch.
  SendBatch(UdpSocket& socket, const Config& config);
  explicit SendBatch(UdpSocket& socket) : SendBatch(socket, Config{}) {}
  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;
  ~SendBatch();

  /// The next slot, for a packet to `to`, leaving from `from` when the socket is bound to the wildcard.
  /// Flushes first when all slots are used. Valid until the commit or the next flush.
  core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress& from = {});
  /// Ends the packet begun with slot(); 0 abandons it.
  void commit(size_t size);

  /// `n` slots at once (n at most the configured number) with one destination each, to be filled in any order
  /// and then ended by commit_reserved with their sizes. Flushes first when there are not enough.
  struct Destination {
    core::SocketAddress to;
    core::IpAddress from;
  };
  std::span<const core::MutableBytes> reserve(std::span<const Destination> destinations);
  void commit_reserved(std::span<const size_t> sizes);

  /// Copies; for control traffic.
  void add(const core::SocketAddress& to, core::Bytes bytes, const core::IpAddress& from = {});

  /// Hands everything to the kernel. Datagrams it does not take are dropped and counted: late media is
  /// worthless.
  void flush();

  size_t pending() const;
  const Counters& counters() const { return counters_; }

 private:
  struct State;
  size_t build_messages(size_t first);
  size_t run_length(size_t first) const;
  void send_messages(size_t count);
  void send_singly(size_t message);
  void drop_blocked(size_t first, size_t count);
  std::unique_ptr<State> s_;
  UdpSocket& socket_;
  bool gso_;
  Counters counters_;
};

}  // namespace huitang::net
