#include "media/opus_codec.h"

#include <opus/opus.h>

#include "media/tone.h"

namespace huitang::media {

namespace {
constexpr int kExpectedLossPercent = 5;  // switches in-band error correction on
constexpr int kComplexity = 3;           // bots run by the dozen
}  // namespace

void AudioEncoder::Close::operator()(OpusEncoder* e) const { opus_encoder_destroy(e); }
void AudioDecoder::Close::operator()(OpusDecoder* d) const { opus_decoder_destroy(d); }

std::optional<AudioEncoder> AudioEncoder::make(core::Bitrate bitrate) {
  int error = 0;
  OpusEncoder* e = opus_encoder_create(kSampleRate, 1, OPUS_APPLICATION_VOIP, &error);
  if (error != OPUS_OK) return std::nullopt;
  opus_encoder_ctl(e, OPUS_SET_BITRATE(static_cast<opus_int32>(bitrate.to_bps())));
  opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(1));
  opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(kExpectedLossPercent));
  opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(kComplexity));
  return AudioEncoder(e);
}

size_t AudioEncoder::encode(std::span<const int16_t> samples, core::MutableBytes out) {
  if (samples.size() != kOpusFrameSamples) return 0;
  const int n = opus_encode(encoder_.get(), samples.data(), static_cast<int>(samples.size()), out.data(),
                            static_cast<opus_int32>(out.size()));
  return n > 0 ? static_cast<size_t>(n) : 0;
}

std::optional<AudioDecoder> AudioDecoder::make() {
  int error = 0;
  OpusDecoder* d = opus_decoder_create(kSampleRate, 1, &error);
  if (error != OPUS_OK) return std::nullopt;
  return AudioDecoder(d);
}

std::span<const int16_t> AudioDecoder::decode(core::Bytes packet) {
  if (packet.empty()) return {};
  const int n = opus_decode(decoder_.get(), packet.data(), static_cast<opus_int32>(packet.size()),
                            samples_.data(), static_cast<int>(samples_.size()), 0);
  return std::span(samples_).first(n > 0 ? static_cast<size_t>(n) : 0);
}

std::span<const int16_t> AudioDecoder::conceal() {
  const int n = opus_decode(decoder_.get(), nullptr, 0, samples_.data(), kOpusFrameSamples, 0);
  return std::span(samples_).first(n > 0 ? static_cast<size_t>(n) : 0);
}

}  // namespace huitang::media
