// What leaves for one receiver at once, and what waits so that a picture does not meet a narrow link faster
// than it carries: packets beyond a small credit leave in bursts on a common beat.
//
// Fed by the worker with the pacing rate (several times the estimate, bwe), with each packet's size, and with
// the packets that have to wait; gives these back, retransmissions before pictures, each kind in the order in
// which it came, so the numbers of every stream stay in order. Sound never waits; it only spends. While
// something waits there is no credit, so nothing overtakes it and the way of a packet that need not wait is
// one subtraction and one comparison. Nothing waits longer than about kMaxWait: towards that the queue drains
// faster than the rate. Left out: transport numbers and sealing, which happen when a packet leaves; the beat
// itself (the worker keeps one deadline for all receivers).
//
//   queue.refill(now);                                       once before the packets of a turn
//   if (!queue.admits(bytes)) queue.push(now, packet, bytes);
//   if (queue.has_waiting() && the beat is due) { queue.begin_burst(now); while (auto p = queue.poll()) …; }
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "core/units.h"
#include "sfu/types.h"

namespace huitang::worker {

class PacedQueue {
 public:
  /// Of bursts: what is sent within it leaves together, one segmented message where sizes allow.
  static constexpr core::Duration kBeat = core::Duration::millis(5);
  /// Credit is never more than this much of the rate: two beats, so that small pictures and repairs of a link
  /// with room go straight through.
  static constexpr core::Duration kDepth = core::Duration::millis(10);
  static constexpr int64_t kLeastDepth = 3 * 1250;  ///< bytes: whatever the rate, a few packets at once …
  static constexpr int64_t kMostDepth = 64 * 1250;  ///< … and at most one segmented message
  static constexpr core::Duration kMaxWait = core::Duration::millis(250);
  static constexpr size_t kMaxWaiting = 1024;  ///< packets of each kind

  /// Buffers of what waits are retained in `slab`, which outlives the queue.
  explicit PacedQueue(sfu::PacketSlab& slab) : slab_(slab) {}
  ~PacedQueue();
  PacedQueue(const PacedQueue&) = delete;
  PacedQueue& operator=(const PacedQueue&) = delete;

  /// Absent: no limit, what waits leaves with the next burst.
  void set_rate(core::Instant now, std::optional<core::Bitrate> rate);

  void refill(core::Instant now) {
    if (waiting_ == 0) add_credit(now, rate_);
  }
  /// Counts `bytes` as leaving now; false: they have to wait, unless they cannot (sound).
  bool admits(int64_t bytes) { return (credit_ -= bytes) > -bytes; }
  /// Not admitted just now. What does not fit pushes out all that waits of its kind, which is then lost:
  /// handed to poll_dropped(), one packet of each stream in turn.
  void push(core::Instant now, const sfu::ForwardedPacket& packet, int64_t bytes);

  bool has_waiting() const { return waiting_ != 0; }
  void begin_burst(core::Instant now);
  /// The next to leave in this burst; its buffer is released, so send it before the slab reclaims.
  std::optional<sfu::ForwardedPacket> poll();
  /// The SSRC of a stream that lost packets at the cap since the last call.
  std::optional<uint32_t> poll_dropped();

  struct Snapshot {
    size_t waiting = 0;
    int64_t waiting_bytes = 0;
    uint64_t held = 0;     ///< packets that had to wait
    uint64_t dropped = 0;  ///< at the cap
    core::Duration longest_wait;
    friend bool operator==(const Snapshot&, const Snapshot&) = default;
  };
  Snapshot snapshot() const;
  bool is_consistent() const;

 private:
  struct Waiting {
    sfu::ForwardedPacket packet;
    core::Instant since;
    int64_t bytes = 0;
  };
  /// A ring that grows by doubling up to kMaxWaiting, so that a receiver that never waits costs nothing.
  class Lane {
   public:
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    bool is_full() const { return size_ == kMaxWaiting; }
    const Waiting& front() const { return ring_[first_]; }
    void push(const Waiting& w);
    Waiting pop();

   private:
    std::vector<Waiting> ring_;
    size_t first_ = 0;
    size_t size_ = 0;
  };

  void add_credit(core::Instant now, std::optional<core::Bitrate> rate);
  /// What the rate must be for the oldest to leave within kMaxWait.
  core::Bitrate urgent_rate(core::Instant now) const;
  Waiting take(Lane& lane);
  void drop_all(Lane& lane);

  sfu::PacketSlab& slab_;
  std::optional<core::Bitrate> rate_;
  int64_t credit_ = kUnlimited;
  core::Instant credited_;  ///< up to here
  size_t waiting_ = 0;
  int64_t waiting_bytes_ = 0;
  Lane repairs_, pictures_;
  core::Instant burst_at_;
  std::vector<uint32_t> dropped_from_;
  Snapshot counters_;

  static constexpr int64_t kUnlimited = int64_t{1} << 60;
};

}  // namespace huitang::worker
