// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01
// section 3.1).
//
// |V=2|P|  FMT=15 |    PT=205     |           length              |
// |                     SSRC of packet sender                     |
// |                      SSRC of media source                     |
// |      base sequence number     |      packet status count      |
// |     reference time, 24 bits, signed, 64 ms    | fb pkt. count |
// |         packet chunks: run length or status vectors …         |
// |         receive deltas of 250 us, one or two bytes …          |
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "core/time.h"

namespace huitang::rtp {

inline constexpr core::Duration kFeedbackTick = core::Duration::micros(250);
inline constexpr core::Duration kFeedbackReferenceUnit = core::Duration::millis(64);
inline constexpr size_t kMaxFeedbackStatuses = 0xffff;

/// A checked feedback packet in its memory.
struct TransportFeedbackView {
  uint32_t sender_ssrc = 0;
  uint32_t media_ssrc = 0;
  uint16_t base_sequence = 0;
  uint16_t status_count = 0;
  int32_t reference_time = 0;  ///< in units of 64 ms; the receiver's clock, wraps after 12 days
  uint8_t feedback_count = 0;
  core::Bytes body;  ///< chunks, then deltas

  /// Walks the statuses: next() gives each number from base_sequence on. `arrival` is on the receiver's
  /// clock, counted from the reference time's zero; absent = not received.
  struct Status {
    uint16_t sequence = 0;
    std::optional<core::Duration> arrival;
  };
  class Walker {
   public:
    explicit Walker(const TransportFeedbackView& view);
    std::optional<Status> next();

   private:
    uint8_t next_symbol();
    core::Bytes body_;
    size_t chunk_at_ = 0;
    size_t delta_at_ = 0;
    uint16_t sequence_ = 0;
    uint16_t left_ = 0;
    uint16_t chunk_ = 0;
    uint16_t chunk_used_ = 0;
    uint16_t chunk_size_ = 0;
    int64_t ticks_ = 0;
  };
  Walker walk() const { return Walker(*this); }
};

/// `payload` is the packet after its 12-byte common part (header and both SSRCs).
core::Result<TransportFeedbackView, core::ParseError> parse_transport_feedback(uint32_t sender_ssrc,
                                                                               uint32_t media_ssrc,
                                                                               core::Bytes payload);

struct TransportFeedbackHeader {
  uint32_t sender_ssrc = 0;
  uint32_t media_ssrc = 0;
  uint8_t feedback_count = 0;
  int64_t base = 0;  ///< unwrapped number of the first status; at or before arrivals.front()
};

/// One received packet by its unwrapped transport-wide number.
struct PacketArrival {
  int64_t number = 0;
  core::Instant at;
};

struct TransportFeedbackWritten {
  size_t bytes = 0;     ///< whole RTCP packet, a multiple of 4
  size_t arrivals = 0;  ///< how many of the given ones it tells of
  int64_t next_base = 0;
};

/// Writes one packet about as many of `arrivals` (strictly ascending numbers) as fit `out`, the status count
/// and the delta range. Nothing written when not even the first fits (a gap of more than 65534 numbers before
/// it, too).
TransportFeedbackWritten write_transport_feedback(core::MutableBytes out,
                                                  const TransportFeedbackHeader& header,
                                                  std::span<const PacketArrival> arrivals);

}  // namespace huitang::rtp
