#include "codec/opus.h"

namespace huitang::codec {

using core::err;
using core::ParseError;

namespace {

// RFC 6716 table 2. Configurations 0..11 are SILK in groups of four sizes, 12..15 hybrid in groups of two,
// the rest CELT.
constexpr OpusMode mode_of(uint8_t config) {
  if (config < 12) return OpusMode::Silk;
  return config < 16 ? OpusMode::Hybrid : OpusMode::Celt;
}

constexpr int64_t frame_micros(uint8_t config) {
  constexpr int64_t silk[] = {10'000, 20'000, 40'000, 60'000};
  constexpr int64_t celt[] = {2'500, 5'000, 10'000, 20'000};
  switch (mode_of(config)) {
    case OpusMode::Silk: return silk[config & 3];
    case OpusMode::Hybrid: return (config & 1) != 0 ? 20'000 : 10'000;
    case OpusMode::Celt: return celt[config & 3];
  }
  return 0;
}

constexpr core::Duration kMaxPacketDuration = core::Duration::millis(120);

}  // namespace

core::Result<OpusPacket, ParseError> parse_opus(core::Bytes payload) {
  if (payload.empty()) return err(ParseError::Truncated);
  const auto config = static_cast<uint8_t>(payload[0] >> 3);
  const uint8_t code = payload[0] & 3;
  OpusPacket p{.mode = mode_of(config), .stereo = (payload[0] & 4) != 0};
  if (code < 3) {
    p.frames = code == 0 ? 1 : 2;
  } else {
    if (payload.size() < 2) return err(ParseError::Truncated);
    p.frames = payload[1] & 0x3f;  // 0 is forbidden, section 3.2.5
  }
  p.duration = core::Duration::micros(frame_micros(config) * p.frames);
  if (p.frames == 0 || p.duration > kMaxPacketDuration) return err(ParseError::Malformed);
  p.is_dtx = payload.size() <= 2;
  return p;
}

}  // namespace huitang::codec
