#include "media/vp8_codec.h"

#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#include <algorithm>
#include <utility>

namespace huitang::media {

namespace {

constexpr int kTimebase = 90000;
constexpr int kCpuUsed = -10;                 // real-time speed steps: test pictures are simple
constexpr unsigned kKeyFrameDistance = 3000;  // key frames come when asked for

unsigned to_kbps(core::Bitrate b) { return static_cast<unsigned>(std::max<int64_t>(b.to_bps() / 1000, 20)); }

PlaneView plane_of(const vpx_image_t& image, int plane) {
  const int shift = plane == VPX_PLANE_Y ? 0 : 1;
  return {image.planes[plane],
          image.stride[plane],
          {(static_cast<int>(image.d_w) + shift) >> shift, (static_cast<int>(image.d_h) + shift) >> shift}};
}

}  // namespace

struct Vp8Encoder::State {
  vpx_codec_ctx_t context{};
  vpx_codec_enc_cfg_t config{};
  bool is_open = false;
  ~State() {
    if (is_open) vpx_codec_destroy(&context);
  }
};

std::optional<Vp8Encoder> Vp8Encoder::make(const Config& config) {
  auto state = std::make_unique<State>();
  vpx_codec_enc_cfg_t& c = state->config;
  if (vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &c, 0) != VPX_CODEC_OK) return std::nullopt;
  c.g_w = static_cast<unsigned>(config.size.width);
  c.g_h = static_cast<unsigned>(config.size.height);
  c.g_timebase = {1, kTimebase};
  c.g_threads = 1;
  c.g_lag_in_frames = 0;
  c.g_pass = VPX_RC_ONE_PASS;
  c.rc_end_usage = VPX_CBR;
  c.rc_target_bitrate = to_kbps(config.bitrate);
  c.rc_min_quantizer = 4;
  c.rc_max_quantizer = 56;
  c.rc_buf_sz = 1000;
  c.rc_buf_initial_sz = 500;
  c.rc_buf_optimal_sz = 600;
  c.rc_dropframe_thresh = 0;
  c.kf_mode = VPX_KF_AUTO;
  c.kf_max_dist = kKeyFrameDistance;
  if (vpx_codec_enc_init(&state->context, vpx_codec_vp8_cx(), &c, 0) != VPX_CODEC_OK) return std::nullopt;
  state->is_open = true;
  vpx_codec_control(&state->context, VP8E_SET_CPUUSED, kCpuUsed);
  vpx_codec_control(&state->context, VP8E_SET_STATIC_THRESHOLD, 100);
  return Vp8Encoder(std::move(state));
}

Vp8Encoder::Vp8Encoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Vp8Encoder::Vp8Encoder(Vp8Encoder&&) noexcept = default;
Vp8Encoder& Vp8Encoder::operator=(Vp8Encoder&&) noexcept = default;
Vp8Encoder::~Vp8Encoder() = default;

std::optional<EncodedFrame> Vp8Encoder::encode(const Picture& picture, int64_t timestamp,
                                               bool force_key_frame) {
  vpx_image_t image;
  const auto w = static_cast<unsigned>(picture.size().width);
  const auto h = static_cast<unsigned>(picture.size().height);
  if (w != state_->config.g_w || h != state_->config.g_h) return std::nullopt;
  // libvpx does not write to the source; its interface has no const form.
  vpx_img_wrap(&image, VPX_IMG_FMT_I420, w, h, 1, const_cast<uint8_t*>(picture.y()));
  image.planes[VPX_PLANE_U] = const_cast<uint8_t*>(picture.u());
  image.planes[VPX_PLANE_V] = const_cast<uint8_t*>(picture.v());
  image.stride[VPX_PLANE_Y] = static_cast<int>(w);
  image.stride[VPX_PLANE_U] = image.stride[VPX_PLANE_V] = static_cast<int>(w / 2);
  const vpx_enc_frame_flags_t flags = force_key_frame ? VPX_EFLAG_FORCE_KF : 0;
  if (vpx_codec_encode(&state_->context, &image, timestamp, kTimebase / 15, flags, VPX_DL_REALTIME) !=
      VPX_CODEC_OK) {
    return std::nullopt;
  }
  vpx_codec_iter_t iterator = nullptr;
  while (const vpx_codec_cx_pkt_t* packet = vpx_codec_get_cx_data(&state_->context, &iterator)) {
    if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
    return EncodedFrame{{static_cast<const uint8_t*>(packet->data.frame.buf), packet->data.frame.sz},
                        (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0};
  }
  return std::nullopt;
}

void Vp8Encoder::set_bitrate(core::Bitrate bitrate) {
  if (state_->config.rc_target_bitrate == to_kbps(bitrate)) return;
  state_->config.rc_target_bitrate = to_kbps(bitrate);
  vpx_codec_enc_config_set(&state_->context, &state_->config);
}

struct Vp8Decoder::State {
  vpx_codec_ctx_t context{};
  bool is_open = false;
  ~State() {
    if (is_open) vpx_codec_destroy(&context);
  }
};

std::optional<Vp8Decoder> Vp8Decoder::make() {
  auto state = std::make_unique<State>();
  vpx_codec_dec_cfg_t config{.threads = 1, .w = 0, .h = 0};
  if (vpx_codec_dec_init(&state->context, vpx_codec_vp8_dx(), &config, 0) != VPX_CODEC_OK)
    return std::nullopt;
  state->is_open = true;
  return Vp8Decoder(std::move(state));
}

Vp8Decoder::Vp8Decoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Vp8Decoder::Vp8Decoder(Vp8Decoder&&) noexcept = default;
Vp8Decoder& Vp8Decoder::operator=(Vp8Decoder&&) noexcept = default;
Vp8Decoder::~Vp8Decoder() = default;

std::optional<DecodedPicture> Vp8Decoder::decode(core::Bytes frame) {
  if (frame.empty()) return std::nullopt;
  if (vpx_codec_decode(&state_->context, frame.data(), static_cast<unsigned>(frame.size()), nullptr, 0) !=
      VPX_CODEC_OK) {
    return std::nullopt;
  }
  vpx_codec_iter_t iterator = nullptr;
  const vpx_image_t* image = vpx_codec_get_frame(&state_->context, &iterator);
  if (image == nullptr || image->fmt != VPX_IMG_FMT_I420) return std::nullopt;
  return DecodedPicture{plane_of(*image, VPX_PLANE_Y), plane_of(*image, VPX_PLANE_U),
                        plane_of(*image, VPX_PLANE_V)};
}

}  // namespace huitang::media
