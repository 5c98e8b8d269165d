// What the Opus table-of-contents byte tells without decoding (RFC 6716 section 3).
//
//  0 1 2 3 4 5 6 7
// | config  |s| c |   config: mode, bandwidth, frame size; s: stereo; c: frame count code
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "core/time.h"

namespace huitang::codec {

inline constexpr uint32_t kOpusClockRate = 48000;
/// RFC 6716 section 3.2.1: a frame holds at most 1275 bytes, a packet 120 ms.
inline constexpr size_t kMaxOpusFrame = 1275;

enum class OpusMode : uint8_t { Silk, Hybrid, Celt };

struct OpusPacket {
  OpusMode mode = OpusMode::Silk;
  bool stereo = false;
  uint8_t frames = 0;
  core::Duration duration;  ///< of all frames
  /// Nothing but a table of contents (and at most one byte): silence by discontinuous transmission.
  bool is_dtx = false;

  uint32_t samples() const { return static_cast<uint32_t>(duration.to_micros() * 48 / 1000); }  ///< at 48 kHz
};

core::Result<OpusPacket, core::ParseError> parse_opus(core::Bytes payload);

}  // namespace huitang::codec
