// Opus by libopus: mono, 48 kHz, frames of 20 ms, in-band error correction.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/bytes.h"
#include "core/units.h"

struct OpusEncoder;
struct OpusDecoder;

namespace huitang::media {

inline constexpr size_t kOpusFrameSamples = 960;
inline constexpr size_t kMaxOpusSamples = 5760;  ///< 120 ms
inline constexpr size_t kMaxOpusPacket = 1275;

class AudioEncoder {
 public:
  static std::optional<AudioEncoder> make(core::Bitrate bitrate);
  /// Exactly kOpusFrameSamples. The packet's size in `out`, 0 on failure.
  size_t encode(std::span<const int16_t> samples, core::MutableBytes out);

 private:
  struct Close {
    void operator()(OpusEncoder* e) const;
  };
  explicit AudioEncoder(OpusEncoder* e) : encoder_(e) {}
  std::unique_ptr<OpusEncoder, Close> encoder_;
};

class AudioDecoder {
 public:
  static std::optional<AudioDecoder> make();
  /// The samples, good until the next call; empty for a broken packet.
  std::span<const int16_t> decode(core::Bytes packet);
  /// What stands in for a lost packet.
  std::span<const int16_t> conceal();

 private:
  struct Close {
    void operator()(OpusDecoder* d) const;
  };
  explicit AudioDecoder(OpusDecoder* d) : decoder_(d) {}
  std::unique_ptr<OpusDecoder, Close> decoder_;
  std::array<int16_t, kMaxOpusSamples> samples_{};
};

}  // namespace huitang::media
