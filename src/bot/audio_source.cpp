#include "bot/audio_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace huitang::bot {

namespace {
constexpr core::Bitrate kBitrate = core::Bitrate::kbps(32);
constexpr uint8_t kRedDepth = 1;
constexpr size_t kMaxPayload = 1150;
// A full-scale sine lies 3 dB below the full-scale square wave that 0 dBov means (RFC 6464, RFC 6465 appendix
// A).
constexpr double kSineToOverload = 3.01;

/// The tone's fall over one millisecond still makes noise, but is no voice.
rtp::AudioLevel measure(std::span<const int16_t> samples, bool is_audible) {
  const double below = kSineToOverload - media::level_db(samples);
  const auto level = static_cast<uint8_t>(std::clamp(std::lround(below), 0L, 127L));
  return {.voice = is_audible, .level = level};
}
}  // namespace

AudioSource::AudioSource(const AudioSourceConfig& config)
    : config_(config), tone_(config.tone_hertz), encoder_(media::AudioEncoder::make(kBitrate)) {
  if (config.red_inner) red_.emplace(*config.red_inner, kRedDepth);
}

std::optional<AudioSource::Frame> AudioSource::make_frame(core::Duration at, uint32_t timestamp) {
  if (!encoder_) return std::nullopt;
  std::array<int16_t, media::kOpusFrameSamples> samples;
  const bool is_audible = !config_.has_clap || is_clapping(at);
  tone_.generate(samples, is_audible);
  core::Buffer opus(media::kMaxOpusPacket);
  opus.resize(encoder_->encode(samples, opus));
  if (opus.empty()) return std::nullopt;
  Frame frame{.level = measure(samples, is_audible)};
  if (!red_) {
    frame.payload = std::move(opus);
    return frame;
  }
  frame.payload.resize(kMaxPayload);
  frame.payload.resize(red_->make(timestamp, opus, frame.payload));
  return frame;
}

}  // namespace huitang::bot
