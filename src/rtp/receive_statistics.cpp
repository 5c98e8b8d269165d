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
  ++s_.packets;
  s_.bytes += size;
  if (!update_sequence(sequence_number)) return;
  ++s_.received;
  update_jitter(now, timestamp);
  HUITANG_DCHECK(is_consistent());
}

bool ReceiveStatistics::update_sequence(uint16_t sequence_number) {
  if (!s_.started) {
    s_.started = true;
    restart(sequence_number);
    return true;
  }
  const auto ahead = static_cast<uint16_t>(sequence_number - s_.highest);
  if (ahead != 0 && ahead < kMaxDropout) {
    if (sequence_number < s_.highest) s_.cycles += kSequenceMod;
    s_.highest = sequence_number;
  } else if (ahead != 0 && ahead <= kSequenceMod - kMaxMisorder) {
    if (sequence_number != s_.bad_next) {
      s_.bad_next = static_cast<uint16_t>(sequence_number + 1);
      return false;
    }
    ++s_.restarts;
    restart(sequence_number);
  } else {
    ++s_.late;
  }
  return true;
}

void ReceiveStatistics::restart(uint16_t sequence_number) {
  s_.base = sequence_number;
  s_.highest = sequence_number;
  s_.cycles = 0;
  s_.bad_next = ReceiveStatisticsState::kNoBad;
  s_.received = 0;
  s_.received_prior = 0;
  s_.expected_prior = 0;
  s_.has_transit = false;
}

// A.8. Packets of one frame share a timestamp but not a send time, so only the first of each timestamp is
// counted.
void ReceiveStatistics::update_jitter(core::Instant now, uint32_t timestamp) {
  const auto arrival =
      static_cast<uint32_t>(static_cast<uint64_t>(now.to_nanos() / 1000) * s_.clock_rate / 1'000'000);
  const uint32_t transit = arrival - timestamp;
  if (s_.has_transit && timestamp == s_.last_timestamp) return;
  if (s_.has_transit) {
    const auto change = static_cast<int32_t>(transit - s_.last_transit);
    const uint32_t d = change < 0 ? 0U - static_cast<uint32_t>(change) : static_cast<uint32_t>(change);
    if (d < kMaxTransitChange) s_.jitter_q4 += d - ((s_.jitter_q4 + 8) >> 4);
  }
  s_.has_transit = true;
  s_.last_transit = transit;
  s_.last_timestamp = timestamp;
}

void ReceiveStatistics::handle_sender_report(core::Instant now, NtpTime ntp) {
  s_.last_sr = ntp.compact();
  s_.last_sr_at = now;
}

ReportBlock ReceiveStatistics::take_report(core::Instant now) {
  ReportBlock block{.ssrc = s_.ssrc};
  if (s_.started) {
    const int64_t expected_interval = expected() - s_.expected_prior;
    const int64_t received_interval = static_cast<int64_t>(s_.received - s_.received_prior);
    const int64_t lost_interval = expected_interval - received_interval;
    s_.expected_prior = expected();
    s_.received_prior = s_.received;
    if (expected_interval > 0 && lost_interval > 0) {
      block.fraction_lost =
          static_cast<uint8_t>(std::min<int64_t>((lost_interval << 8) / expected_interval, 255));
    }
    block.cumulative_lost = static_cast<int32_t>(std::clamp<int64_t>(lost(), -0x800000, 0x7fffff));
    block.highest_sequence = extended_highest();
    block.jitter = s_.jitter_q4 >> 4;
  }
  if (s_.last_sr != 0) {
    block.last_sr = s_.last_sr;
    block.delay_since_last_sr = to_compact(now - s_.last_sr_at);
  }
  return block;
}

ReceiveStatistics::Snapshot ReceiveStatistics::snapshot() const {
  return {.packets = s_.packets,
          .bytes = s_.bytes,
          .late = s_.late,
          .lost = lost(),
          .jitter = s_.jitter_q4 >> 4,
          .restarts = s_.restarts};
}

bool ReceiveStatistics::is_consistent() const {
  return s_.received >= s_.received_prior && s_.received <= s_.packets && (!s_.started || expected() >= 1);
}

}  // namespace huitang::rtp
