// RTP packets that look like VP8 and Opus to whoever forwards them, made without a codec: for load and for
// tests.
//
// Video frames carry right descriptors, frame tags and key frame headers (RFC 7741, RFC 6386 section 9.1), so
// a forwarder treats them as real; a decoder would not. The payload ends with a stamp by which a receiver
// knows that it is intact and how old it is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "rtp/packet.h"

namespace huitang::bot {

struct SyntheticPacket {
  uint64_t index = 0;  ///< 48-bit SRTP index
  rtp::PacketHeader header;
  core::Buffer payload;
};

inline constexpr size_t kStampSize = 16;
/// Over the last kStampSize bytes.
void write_stamp(core::MutableBytes payload, core::Instant sent);
/// Absent when the payload does not end with a stamp.
std::optional<core::Instant> read_stamp(core::Bytes payload);

class SyntheticVideo {
 public:
  struct Config {
    uint32_t ssrc = 0;
    uint8_t payload_type = 0;
    size_t frame_bytes = 8000;
    uint16_t width = 1280;
    uint16_t height = 720;
    size_t max_payload = 1100;
    uint64_t first_index = 1;
    uint32_t first_timestamp = 1000;  ///< before the first frame
    uint16_t first_picture = 0;       ///< likewise
  };
  explicit SyntheticVideo(const Config& config)
      : config_(config),
        index_(config.first_index),
        timestamp_(config.first_timestamp),
        picture_(config.first_picture) {}
  void request_key_frame() { key_frame_due_ = true; }
  /// The packets of the next frame, near-equal in size as browsers make them; the last has the marker. The
  /// RTP timestamp advances by `ticks` of 90 kHz.
  std::vector<SyntheticPacket> next_frame(core::Instant now, uint32_t ticks = 3000);

 private:
  Config config_;
  uint64_t index_;
  uint32_t timestamp_;
  uint16_t picture_;
  bool key_frame_due_ = true;
};

class SyntheticAudio {
 public:
  struct Config {
    uint32_t ssrc = 0;
    uint8_t payload_type = 0;
    size_t payload_bytes = 100;
    uint64_t first_index = 1;
    uint32_t first_timestamp = 960;
  };
  explicit SyntheticAudio(const Config& config)
      : config_(config), index_(config.first_index), timestamp_(config.first_timestamp) {}
  /// One packet of 20 ms.
  SyntheticPacket next(core::Instant now);

 private:
  Config config_;
  uint64_t index_;
  uint32_t timestamp_;
};

}  // namespace huitang::bot
