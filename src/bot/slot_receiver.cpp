#include "bot/slot_receiver.h"

#include <algorithm>
#include <utility>

#include "codec/opus.h"
#include "codec/red.h"
#include "codec/vp8.h"
#include "media/mark.h"
#include "rtp/rtx.h"

namespace huitang::bot {

namespace {
constexpr uint32_t kVideoClock = 90000;
constexpr core::Duration kKeyFrameInterval = core::Duration::millis(500);
// A neighbouring packet's timestamp may stand still (same frame) or go on by at most this much.
constexpr uint32_t kLongestStepSeconds = 30;

uint32_t clock_of(const SlotReceiverConfig& c) {
  return c.slot.use == sdp::LineUse::AudioSlot ? codec::kOpusClockRate : kVideoClock;
}
}  // namespace

SlotReceiver::SlotReceiver(SlotReceiverConfig config)
    : config_(std::move(config)), statistics_(config_.ssrc, clock_of(config_)) {
  counters_.slot = config_.slot;
  if (is_audio() && !config_.tone_candidates.empty()) {
    audio_decoder_ = media::AudioDecoder::make();
    tone_detector_.emplace(config_.tone_candidates);
  }
  if (!is_audio() && config_.looks) {
    assembler_ = std::make_unique<media::Vp8Assembler>();
    video_decoder_ = media::Vp8Decoder::make();
  }
}

void SlotReceiver::handle_packet(core::Instant now, core::MutableBytes packet) {
  const auto outer = rtp::parse_packet(packet);
  if (!outer) return;
  if (outer->header.ssrc == config_.rtx_ssrc && config_.rtx_ssrc != 0) {
    const auto original = rtp::unwrap_rtx(packet, {config_.payload_type, config_.ssrc});
    if (original.empty()) return;  // padding that probes
    if (const auto inner = rtp::parse_packet(original)) handle_media(now, *inner);
    return;
  }
  const auto& h = outer->header;
  statistics_.handle_packet(now, h.sequence_number, h.timestamp, outer->payload_size);
  handle_media(now, *outer);
}

void SlotReceiver::handle_sender_report(core::Instant now, const rtp::SenderInfo& info) {
  statistics_.handle_sender_report(now, info.ntp);
}

void SlotReceiver::handle_media(core::Instant now, const rtp::PacketView& packet) {
  if (!is_audio()) nack_.handle_packet(now, packet.header.sequence_number);
  check_continuity(packet);
  if (packet.payload_size != 0) note_source(now, packet);
  is_audio() ? listen(now, packet) : look(now, packet);
}

void SlotReceiver::note_source(core::Instant now, const rtp::PacketView& packet) {
  const int64_t number = numbers_.peek(packet.header.sequence_number);
  const uint32_t source = packet.csrc_count > 0 ? packet.csrc(0) : 0;
  if (source == source_ || number < highest_) return;  // a late packet of the old one
  source_ = source;
  source_since_ = now;
  ++counters_.source_changes;
  changes.push_back({config_.slot, source, now});
}

// Only neighbours in number are compared, so loss and reordering never count as faults.
void SlotReceiver::check_continuity(const rtp::PacketView& packet) {
  const int64_t number = numbers_.unwrap(packet.header.sequence_number);
  if (number <= highest_) return;
  const bool is_next = number == highest_ + 1;
  const uint32_t step = packet.header.timestamp - last_timestamp_;
  if (is_next && step > kLongestStepSeconds * clock_of(config_)) ++counters_.timestamp_faults;
  if (!is_audio() && packet.payload_size != 0) {
    const auto vp8 = codec::parse_vp8(packet.payload());
    if (vp8 && vp8->descriptor.picture_id) {
      const uint16_t id = *vp8->descriptor.picture_id;
      const bool begins = vp8->descriptor.is_frame_start();
      const auto expected = static_cast<uint16_t>((last_picture_id_.value_or(0) + (begins ? 1 : 0)) & 0x7fff);
      if (is_next && last_picture_id_ && id != expected) ++counters_.picture_id_faults;
      last_picture_id_ = id;
    }
  }
  highest_ = number;
  last_timestamp_ = packet.header.timestamp;
}

void SlotReceiver::look(core::Instant now, const rtp::PacketView& packet) {
  if (!assembler_) {
    const auto vp8 =
        packet.payload_size != 0
            ? codec::parse_vp8(packet.payload())
            : core::Result<codec::Vp8Packet, core::ParseError>(core::err(core::ParseError::Truncated));
    if (vp8 && vp8->descriptor.is_frame_start()) ++counters_.frames;
    if (vp8 && vp8->is_key_frame && source_since_) {
      counters_.last_switch_to_picture = now - *std::exchange(source_since_, std::nullopt);
    }
    return;
  }
  assembler_->handle_packet({.sequence_number = packet.header.sequence_number,
                             .timestamp = packet.header.timestamp,
                             .csrc = packet.csrc_count > 0 ? packet.csrc(0) : 0,
                             .marker = packet.header.marker,
                             .payload = packet.payload()});
  while (const auto frame = assembler_->poll_frame()) {
    if (frame->is_key_frame) nack_.handle_key_frame(frame->first_number);
    ++counters_.frames;
    const auto picture = video_decoder_ ? video_decoder_->decode(frame->data) : std::nullopt;
    if (picture) {
      note_picture(now, *frame, *picture);
    } else {
      ++counters_.undecodable;
      wants_key_frame_ = true;
    }
  }
  if (assembler_->needs_key_frame()) wants_key_frame_ = true;
}

void SlotReceiver::note_picture(core::Instant now, const media::Vp8Frame& frame,
                                const media::DecodedPicture& picture) {
  wants_key_frame_ = false;
  if (source_since_ && frame.csrc == source_) {
    counters_.last_switch_to_picture = now - *std::exchange(source_since_, std::nullopt);
  }
  MarkSeen seen{.slot = config_.slot,
                .source = frame.csrc,
                .mark = media::read_mark(picture.y).value_or(0),
                .is_lamp_lit = media::read_lamp(picture.y),
                .size = picture.y.size,
                .at = now};
  const bool is_new = !last_mark_ || last_mark_->mark != seen.mark || last_mark_->source != seen.source ||
                      last_mark_->is_lamp_lit != seen.is_lamp_lit || last_mark_->size != seen.size;
  last_mark_ = seen;
  if (is_new) marks.push_back(seen);
}

void SlotReceiver::listen(core::Instant now, const rtp::PacketView& packet) {
  if (!audio_decoder_ || packet.payload_size == 0) return;
  core::Bytes opus = packet.payload();
  if (config_.red_payload_type == packet.header.payload_type) {
    const auto red = codec::parse_red(opus);
    if (!red) {
      ++counters_.undecodable;
      return;
    }
    opus = red->newest().data;
  }
  const auto samples = audio_decoder_->decode(opus);
  if (samples.empty()) ++counters_.undecodable;
  ++counters_.frames;
  if (!tone_detector_->handle_samples(samples)) return;
  TonesHeard heard{config_.slot, source_, tone_detector_->heard(), now};
  const bool is_new =
      !last_tones_ || last_tones_->hertz != heard.hertz || last_tones_->source != heard.source;
  last_tones_ = heard;
  if (is_new) tones.push_back(std::move(heard));
}

size_t SlotReceiver::poll_nack(core::Instant now, std::span<uint16_t> out) {
  if (is_audio() || config_.rtx_ssrc == 0) return 0;
  const size_t n = nack_.poll_nack(now, out);
  if (nack_.take_given_up()) wants_key_frame_ = true;
  return n;
}

bool SlotReceiver::poll_key_frame_request(core::Instant now) {
  if (!wants_key_frame_ || now < next_key_frame_request_) return false;
  next_key_frame_request_ = now + kKeyFrameInterval;
  ++counters_.key_frame_requests;
  if (!assembler_) wants_key_frame_ = false;
  return true;
}

std::optional<core::Instant> SlotReceiver::deadline() const {
  if (is_audio()) return std::nullopt;
  auto at = config_.rtx_ssrc != 0 ? nack_.deadline() : std::nullopt;
  if (wants_key_frame_) at = std::min(at.value_or(core::Instant::far_future()), next_key_frame_request_);
  return at;
}

SlotSnapshot SlotReceiver::snapshot() const {
  SlotSnapshot s = counters_;
  const auto received = statistics_.snapshot();
  s.source = source_;
  s.packets = received.packets;
  s.bytes = received.bytes;
  s.lost = received.lost;
  s.restarts = received.restarts;
  s.recovered = nack_.snapshot().recovered;
  return s;
}

}  // namespace huitang::bot
