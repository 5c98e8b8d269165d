#include "sfu/media_ingest.h"
#include "sfu/state_check.h"

namespace huitang::sfu {
namespace {

bool is_right(core::Instant now, const rtp::NackTracker::State& s) {
  if (!is_plausible_wait(s.round_trip)) return false;
  for (const auto& m : s.missing) {
    if (!is_plausible(m.noticed, now) || !is_plausible(m.next, now)) return false;
  }
  return true;
}

bool is_right(const ReceiveWindow::State& s) {
  return is_within(s.highest, kEndOfIncoming) && s.after_jump <= ReceiveWindow::kNoJump;
}

bool is_right(core::Instant now, const LayerState& s) {
  return is_right(s.window) && is_within(s.highest_sequence, s.window.highest + 1) &&
         is_plausible(s.highest_at, now) && s.highest_picture_id > -kEndOfIncoming &&
         s.highest_picture_id < kEndOfIncoming && is_known(s.format, PayloadFormat::H264) &&
         is_plausible(s.last_packet, now) && is_plausible(s.demanded_last, now) &&
         is_within(s.rate, kEndOfRates) && (!s.nacks || is_right(now, *s.nacks));
}

}  // namespace

LayerState MediaIngest::export_layer(const SourceLayer& layer) const {
  LayerState s{.window = layer.window.export_state(),
               .clock = layer.clock.export_state(),
               .key_frames = layer.key_frames.export_state(),
               .nacks = std::nullopt,
               .highest_sequence = layer.highest_sequence,
               .highest_timestamp = layer.highest_timestamp,
               .highest_at = layer.highest_at,
               .highest_picture_id = layer.highest_picture_id,
               .highest_tl0 = layer.highest_tl0,
               .has_picture_id = layer.has_picture_id,
               .format = layer.format,
               .width = layer.width,
               .height = layer.height,
               .is_flowing = layer.is_flowing,
               .is_demanded = layer.is_demanded,
               .last_packet = layer.last_packet,
               .demanded_last = layer.demanded_last,
               .packets = layer.packets,
               .bytes = layer.bytes,
               .rate = layer.meter.rate().to_bps()};
  if (layer.nacks != nullptr) s.nacks = layer.nacks->export_state();
  return s;
}

bool MediaIngest::restore_layer(core::Instant now, const LayerState& s, SourceLayer& layer) {
  if (!is_right(now, s)) return false;
  layer.window.restore(s.window);
  layer.clock.restore(s.clock);
  layer.key_frames.restore(s.key_frames);
  if (s.nacks) {
    layer.history = t_.history.make_index();
    layer.nacks = std::make_unique<rtp::NackTracker>();
    if (!layer.nacks->restore(*s.nacks)) return false;
  }
  layer.highest_sequence = s.highest_sequence;
  layer.highest_timestamp = s.highest_timestamp;
  layer.highest_at = s.highest_at;
  layer.highest_picture_id = s.highest_picture_id;
  layer.highest_tl0 = s.highest_tl0;
  layer.has_picture_id = s.has_picture_id;
  layer.format = s.format;
  layer.width = s.width;
  layer.height = s.height;
  layer.is_flowing = s.is_flowing;
  layer.is_demanded = s.is_demanded;
  layer.last_packet = s.last_packet;
  layer.demanded_last = s.demanded_last;
  layer.packets = s.packets;
  layer.bytes = s.bytes;
  layer.meter.restore(core::Bitrate::bps(s.rate));
  return true;
}

bool MediaIngest::restore_nack_deadline(core::Instant now, std::optional<core::Instant> deadline) {
  nack_deadline_ = deadline;
  return is_plausible(deadline, now);
}

}  // namespace huitang::sfu
