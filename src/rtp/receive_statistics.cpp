#include "rtp/receive_statistics.h"

#include <algorithm>

namespace huitang::rtp {

namespace {
// RFC 3550 A.1.
constexpr uint16_t kMaxDropout = 3000;
constexpr uint32_t kMaxMisorder = 100;
constexpr uint32_t kSequenceMod = 0x10000;
// A transit change beyond five seconds of video is a new timeline, not jitter.
constexpr uint32_t kMaxTransitChange = 450'000;
}  // namespace

void ReceiveStatistics::handle_packet(core::Instant now, uint16_t sequence_number, uint32_t timestamp,
                                      size_t size) {
  ++packets_;
  bytes_ += size;
  if (!update_sequence(sequence_number)) return;
  ++received_;
  update_jitter(now, timestamp);
  HUITANG_DCHECK(is_consistent());
}

bool ReceiveStatistics::update_sequence(uint16_t sequence_number) {
  if (!started_) {
    started_ = true;
    restart(sequence_number);
    return true;
  }
  const auto ahead = static_cast<uint16_t>(sequence_number - highest_);
  if (ahead != 0 && ahead < kMaxDropout) {
    if (sequence_number < highest_) cycles_ += kSequenceMod;
    highest_ = sequence_number;
  } else if (ahead != 0 && ahead <= kSequenceMod - kMaxMisorder) {
    if (sequence_number != bad_next_) {
      bad_next_ = static_cast<uint16_t>(sequence_number + 1);
      return false;
    }
    ++restarts_;
    restart(sequence_number);
  } else {
    ++late_;
  }
  return true;
}

void ReceiveStatistics::restart(uint16_t sequence_number) {
  base_ = sequence_number;
  highest_ = sequence_number;
  cycles_ = 0;
  bad_next_ = kNoBad;
  received_ = 0;
  received_prior_ = 0;
  expected_prior_ = 0;
  has_transit_ = false;
}

// A.8. Packets of one frame share a timestamp but not a send time, so only the first of each timestamp is
// counted.
void ReceiveStatistics::update_jitter(core::Instant now, uint32_t timestamp) {
  const auto arrival =
      static_cast<uint32_t>(static_cast<uint64_t>(now.to_nanos() / 1000) * clock_rate_ / 1'000'000);
  const uint32_t transit = arrival - timestamp;
  if (has_transit_ && timestamp == last_timestamp_) return;
  if (has_transit_) {
    const auto change = static_cast<int32_t>(transit - last_transit_);
    const uint32_t d = change < 0 ? 0U - static_cast<uint32_t>(change) : static_cast<uint32_t>(change);
    if (d < kMaxTransitChange) jitter_q4_ += d - ((jitter_q4_ + 8) >> 4);
  }
  has_transit_ = true;
  last_transit_ = transit;
  last_timestamp_ = timestamp;
}

void ReceiveStatistics::handle_sender_report(core::Instant now, NtpTime ntp) {
  last_sr_ = ntp.compact();
  last_sr_at_ = now;
}

ReportBlock ReceiveStatistics::take_report(core::Instant now) {
  ReportBlock block{.ssrc = ssrc_};
  if (started_) {
    const int64_t expected_interval = expected() - expected_prior_;
    const int64_t received_interval = static_cast<int64_t>(received_ - received_prior_);
    const int64_t lost_interval = expected_interval - received_interval;
    expected_prior_ = expected();
    received_prior_ = received_;
    if (expected_interval > 0 && lost_interval > 0) {
      block.fraction_lost =
          static_cast<uint8_t>(std::min<int64_t>((lost_interval << 8) / expected_interval, 255));
    }
    block.cumulative_lost = static_cast<int32_t>(std::clamp<int64_t>(lost(), -0x800000, 0x7fffff));
    block.highest_sequence = extended_highest();
    block.jitter = jitter_q4_ >> 4;
  }
  if (last_sr_ != 0) {
    block.last_sr = last_sr_;
    block.delay_since_last_sr = to_compact(now - last_sr_at_);
  }
  return block;
}

ReceiveStatistics::Snapshot ReceiveStatistics::snapshot() const {
  return {.packets = packets_,
          .bytes = bytes_,
          .late = late_,
          .lost = lost(),
          .jitter = jitter_q4_ >> 4,
          .restarts = restarts_};
}

bool ReceiveStatistics::is_consistent() const {
  return received_ >= received_prior_ && received_ <= packets_ && (!started_ || expected() >= 1);
}

}  // namespace huitang::rtp
