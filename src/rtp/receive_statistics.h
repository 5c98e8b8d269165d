// What a receiver knows of one stream for its report blocks: loss, highest number, jitter (RFC 3550
// sections 6.4.1, A.1, A.3 and A.8). Left out: the probation of A.1, since only authenticated packets come
// here.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "rtp/ntp_time.h"
#include "rtp/rtcp.h"

namespace huitang::rtp {

class ReceiveStatistics {
 public:
  ReceiveStatistics(uint32_t ssrc, uint32_t clock_rate) : ssrc_(ssrc), clock_rate_(clock_rate) {}

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
  bool has_packets() const { return packets_ != 0; }
  /// Packets came since the last report; without, RFC 3550 section 6.4 leaves the block out.
  bool has_news() const { return received_ != received_prior_; }
  bool is_consistent() const;

 private:
  /// A.1; false for a packet that belongs to a jump not yet confirmed.
  bool update_sequence(uint16_t sequence_number);
  void restart(uint16_t sequence_number);
  void update_jitter(core::Instant now, uint32_t timestamp);
  uint32_t extended_highest() const { return cycles_ + highest_; }
  int64_t expected() const { return static_cast<int64_t>(extended_highest()) - base_ + 1; }
  int64_t lost() const { return started_ ? expected() - static_cast<int64_t>(received_) : 0; }

  uint32_t ssrc_;
  uint32_t clock_rate_;
  bool started_ = false;
  // Names of A.1: max_seq, cycles, base_seq, bad_seq, received, expected_prior, received_prior.
  uint16_t highest_ = 0;
  uint32_t cycles_ = 0;
  uint32_t base_ = 0;
  uint32_t bad_next_ = kNoBad;
  uint64_t received_ = 0;
  int64_t expected_prior_ = 0;
  uint64_t received_prior_ = 0;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
  uint64_t late_ = 0;
  uint32_t restarts_ = 0;
  bool has_transit_ = false;
  uint32_t last_transit_ = 0;
  uint32_t last_timestamp_ = 0;
  uint32_t jitter_q4_ = 0;  ///< scaled by 16 as in A.8
  uint32_t last_sr_ = 0;
  core::Instant last_sr_at_;
  static constexpr uint32_t kNoBad = 0x10000;
};

}  // namespace huitang::rtp
