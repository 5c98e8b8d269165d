#include "sfu/packet_former.h"

#include <algorithm>

#include "rtp/rtx.h"

namespace huitang::sfu {
namespace {

ForwardedPacket common_of(const PacketFacts& facts, SourceNumber source) {
  ForwardedPacket p;
  p.sequence = facts.sequence;
  p.timestamp = facts.timestamp;
  p.csrc = source.value();
  p.marker = facts.marker;
  return p;
}

}  // namespace

VideoForm::VideoForm(core::Bytes payload, PayloadRef ref, const PacketFacts& facts, SourceNumber source)
    : common_(common_of(facts, source)), format_(static_cast<uint8_t>(facts.format)) {
  common_.body = ref;
  if (facts.format == PayloadFormat::Vp8 && facts.has_picture_id) lay_down_vp8(payload, ref, facts);
}

// The descriptor (RFC 7741 section 4.2) moves from the body to the prefix. A picture id of 7 bits becomes one
// of 15, so that a stream keeps one form whoever sends:  |X R N S R PID| |I L T K RSV| |M| PictureID 15 |
// TL0PICIDX | TID Y KEYIDX |
void VideoForm::lay_down_vp8(core::Bytes payload, PayloadRef ref, const PacketFacts& facts) {
  const auto parsed = codec::parse_vp8(payload);
  if (!parsed || !parsed->descriptor.picture_id) return;
  const codec::Vp8Descriptor& d = parsed->descriptor;
  const size_t id_size = d.has_long_picture_id ? 2 : 1;
  const size_t after_id = d.picture_id_offset + id_size;
  const size_t rest = d.size - after_id;
  std::copy_n(payload.data(), d.picture_id_offset, common_.prefix.data());
  picture_at_ = d.picture_id_offset;
  std::copy_n(payload.data() + after_id, rest, common_.prefix.data() + picture_at_ + 2);
  common_.prefix_size = static_cast<uint8_t>(picture_at_ + 2 + rest);
  if (d.tl0_picture_index) tl0_at_ = static_cast<uint8_t>(picture_at_ + 2);
  picture_id_ = static_cast<uint16_t>(facts.picture_id & 0x7fff);
  tl0_ = d.tl0_picture_index.value_or(0);
  common_.body = ref.without_prefix(d.size);
}

bool VideoForm::append_rtx(const Slot& slot, const Shifts& shifts, int64_t rtx_sequence,
                           std::vector<ForwardedPacket>& out) const {
  const uint8_t payload_type = slot.config.rtx_payload_types[format_];
  if (payload_type == 0 || slot.config.rtx_ssrc == 0) return false;
  out.push_back(common_);
  ForwardedPacket& p = out.back();
  std::copy_backward(common_.prefix.begin(), common_.prefix.begin() + common_.prefix_size,
                     p.prefix.begin() + common_.prefix_size + rtp::kRtxOverhead);
  p.prefix_size = static_cast<uint8_t>(common_.prefix_size + rtp::kRtxOverhead);
  apply(shifts, rtp::kRtxOverhead, p);
  core::store_u16(p.prefix.data(), static_cast<uint16_t>(p.sequence));
  p.sequence = rtx_sequence;
  p.receiver = slot.receiver;
  p.slot = slot.position;
  p.ssrc = slot.config.rtx_ssrc;
  p.payload_type = payload_type;
  p.is_rtx = true;
  return true;
}

AudioForm::AudioForm(const PacketFacts& facts, SourceNumber source, std::optional<rtp::AudioLevel> level)
    : plain_(common_of(facts, source)), sequence_(facts.sequence) {
  plain_.is_audio = true;
  plain_.has_audio_level = level.has_value();
  if (level) plain_.audio_level = *level;
}

void AudioForm::set_plain(PayloadRef body) { plain_.body = body; }

// RFC 2198 section 3: four bytes per older block (with the payload type left open), one for the newest.
void AudioForm::set_red(PayloadRef body, std::span<const Block> older) {
  red_ = plain_;
  red_.body = body;
  uint8_t* at = red_.prefix.data();
  for (const Block& b : older) {
    at[0] = 0x80;
    core::store_u24(at + 1, static_cast<uint32_t>(b.offset) << 10 | b.size);
    at += 4;
  }
  *at = 0;
  red_.prefix_size = static_cast<uint8_t>(older.size() * 4 + 1);
  has_red_ = true;
}

void AudioForm::append(const Subscription& to, std::vector<ForwardedPacket>& out) const {
  const bool is_first = sequence_ == to.first_sequence;
  const uint8_t red = to.payload_types[static_cast<size_t>(PayloadFormat::Red)];
  const uint8_t opus = to.payload_types[static_cast<size_t>(PayloadFormat::Opus)];
  // The first packet of a run goes plain: what came before it belongs to another timeline.
  const bool as_red = has_red_ && red != 0 && !is_first;
  out.push_back(as_red ? red_ : plain_);
  ForwardedPacket& p = out.back();
  p.sequence += to.shifts.sequence;
  p.timestamp += to.shifts.timestamp;
  p.receiver = to.receiver;
  p.slot = to.slot;
  p.ssrc = to.ssrc;
  p.marker |= is_first;
  p.payload_type = as_red ? red : opus;
  if (!as_red) return;
  for (size_t i = 0; i + 1 < p.prefix_size; i += 4) p.prefix[i] = static_cast<uint8_t>(0x80 | opus);
  p.prefix[static_cast<size_t>(p.prefix_size) - 1] = opus;
}

}  // namespace huitang::sfu
