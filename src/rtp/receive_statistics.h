// What a receiver knows of one stream for its report blocks: loss, highest number, jitter (RFC 3550
// sections 6.4.1, A.1, A.3 and A.8). Left out: the probation of A.1, since only authenticated packets come
// here.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "rtp/ntp_time.h"
#include "rtp/rtcp.h"

namespace huitang::rtp {

/// For hand-over to another process of this machine, whose clock is the same. Names of A.1: max_seq, cycles,
/// base_seq, bad_seq, received, expected_prior, received_prior.
struct ReceiveStatisticsState {
  static constexpr uint32_t kNoBad = 0x10000;
  uint32_t ssrc = 0;
  uint32_t clock_rate = 0;
  bool started = false;
  uint16_t highest = 0;
  uint32_t cycles = 0;
  uint32_t base = 0;
  uint32_t bad_next = kNoBad;
  uint64_t received = 0;
  int64_t expected_prior = 0;
  uint64_t received_prior = 0;
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t late = 0;
  uint32_t restarts = 0;
  bool has_transit = false;
  uint32_t last_transit = 0;
  uint32_t last_timestamp = 0;
  uint32_t jitter_q4 = 0;  ///< scaled by 16 as in A.8
  uint32_t last_sr = 0;
  core::Instant last_sr_at;
};

class ReceiveStatistics {
 public:
  ReceiveStatistics(uint32_t ssrc, uint32_t clock_rate) : s_{.ssrc = ssrc, .clock_rate = clock_rate} {}
  /// Goes on where another process stopped; see is_consistent().
  explicit ReceiveStatistics(const ReceiveStatisticsState& state) : s_(state) {}
  const ReceiveStatisticsState& export_state() const { return s_; }

  /// Each packet of the stream as it arrives; `size` is the payload. Packets recovered through RTX are not
  /// told.
  void handle_packet(core::Instant now, uint16_t sequence_number, uint32_t timestamp, size_t size);
  void handle_sender_report(core::Instant now, NtpTime ntp);
  /// The block of the interval since the last call.
  ReportBlock take_report(core::Instant now);

  struct Snapshot {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    uint64_t late = 0;      ///< numbers at or below the highest one: reordered or duplicates
    int64_t lost = 0;       ///< since the last restart; negative with duplicates
    uint32_t jitter = 0;    ///< in timestamp units
    uint32_t restarts = 0;  ///< jumps taken as a restart of the sender
  };
  Snapshot snapshot() const;
  bool has_packets() const { return s_.packets != 0; }
  /// Packets came since the last report; without, RFC 3550 section 6.4 leaves the block out.
  bool has_news() const { return s_.received != s_.received_prior; }
  bool is_consistent() const;

 private:
  /// A.1; false for a packet that belongs to a jump not yet confirmed.
  bool update_sequence(uint16_t sequence_number);
  void restart(uint16_t sequence_number);
  void update_jitter(core::Instant now, uint32_t timestamp);
  uint32_t extended_highest() const { return s_.cycles + s_.highest; }
  int64_t expected() const { return static_cast<int64_t>(extended_highest()) - s_.base + 1; }
  int64_t lost() const { return s_.started ? expected() - static_cast<int64_t>(s_.received) : 0; }

  ReceiveStatisticsState s_;
};

}  // namespace huitang::rtp
