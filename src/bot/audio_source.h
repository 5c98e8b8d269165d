// What a bot's microphone hears: its tone, encoded in frames of 20 ms, in clap mode only in the first 100 ms
// of each second of media time.
#pragma once

#include <cstdint>
#include <optional>

#include "codec/red.h"
#include "core/bytes.h"
#include "core/time.h"
#include "media/opus_codec.h"
#include "media/tone.h"
#include "rtp/extension.h"

namespace huitang::bot {

inline constexpr core::Duration kClapPeriod = core::Duration::seconds(1);
inline constexpr core::Duration kClapLength = core::Duration::millis(100);
/// `at` is media time. A frame that is due with the clap but a rounding of its period early belongs to it (15 times
/// 66,666,666 ns is not a second); else each flash would come one frame late.
constexpr bool is_clapping(core::Duration at) {
  constexpr int64_t kRounding = 1'000'000;
  return (at.to_nanos() + kRounding) % kClapPeriod.to_nanos() < kClapLength.to_nanos();
}

struct AudioSourceConfig {
  double tone_hertz = 440;
  bool has_clap = false;
  std::optional<uint8_t> red_inner;  ///< wrap into RED, with this payload type inside
};

class AudioSource {
 public:
  static constexpr core::Duration kFrame = core::Duration::millis(20);
  explicit AudioSource(const AudioSourceConfig& config);

  struct Frame {
    core::Buffer payload;
    rtp::AudioLevel level;
  };
  /// The frame that begins at this media time; `timestamp` is its RTP timestamp (RED needs it).
  std::optional<Frame> make_frame(core::Duration at, uint32_t timestamp);

 private:
  AudioSourceConfig config_;
  media::ToneGenerator tone_;
  std::optional<media::AudioEncoder> encoder_;
  std::optional<codec::RedMaker> red_;
};

}  // namespace huitang::bot
