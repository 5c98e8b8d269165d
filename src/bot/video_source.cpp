#include "bot/video_source.h"

#include <algorithm>
#include <utility>

#include "bot/audio_source.h"
#include "media/vp8_rtp.h"

namespace huitang::bot {

VideoSource::VideoSource(VideoSourceConfig config)
    : config_(std::move(config)),
      painter_({.name = config_.name, .mark = config_.mark}),
      active_(config_.layers.size()) {
  for (const VideoLayerShape& shape : config_.layers) {
    layers_.push_back({.picture = media::Picture(shape.size),
                       .encoder = media::Vp8Encoder::make({shape.size, shape.bitrate, kFramesPerSecond})});
  }
}

void VideoSource::request_key_frame(size_t layer) {
  if (layer < layers_.size()) layers_[layer].wants_key_frame = true;
}

void VideoSource::set_active_layers(size_t count) {
  count = std::min(count, layers_.size());
  for (size_t i = active_; i < count; ++i) layers_[i].wants_key_frame = true;
  active_ = count;
}

void VideoSource::set_demand(uint32_t layers) {
  for (size_t i = 0; i < layers_.size(); ++i)
    if ((layers & ~demand_) >> i & 1) layers_[i].wants_key_frame = true;
  demand_ = layers;
}

size_t VideoSource::sent_layers() const {
  size_t count = 0;
  for (size_t i = 0; i < layers_.size(); ++i) count += is_sent(i);
  return count;
}

std::vector<core::Buffer> VideoSource::make_frame(size_t layer, const Moment& moment) {
  Layer& l = layers_[layer];
  if (!l.encoder) return {};
  painter_.paint(l.picture, {.clock = moment.clock,
                             .seconds = moment.at.to_seconds(),
                             .has_lamp = config_.has_clap,
                             .is_lamp_lit = config_.has_clap && is_clapping(moment.at)});
  const int64_t timestamp = moment.at.to_micros() * 9 / 100;
  const auto frame = l.encoder->encode(l.picture, timestamp, std::exchange(l.wants_key_frame, false));
  if (!frame) return {};
  key_frames_ += frame->is_key_frame;
  l.picture_id = (l.picture_id + 1) & 0x7fff;
  ++l.tl0_picture_index;
  media::Vp8Packetizer packetizer(frame->data,
                                  {.picture_id = l.picture_id,
                                   .tl0_picture_index = l.tl0_picture_index,
                                   .temporal_layer = uint8_t{0},
                                   .is_layer_sync = true},
                                  kMaxPayload);
  std::vector<core::Buffer> payloads;
  while (packetizer.remaining() > 0) {
    core::Buffer payload(kMaxPayload);
    payload.resize(packetizer.next(payload));
    payloads.push_back(std::move(payload));
  }
  return payloads;
}

}  // namespace huitang::bot
