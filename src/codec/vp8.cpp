#include "codec/vp8.h"

#include <algorithm>

#include "core/check.h"

namespace huitang::codec {

using core::err;
using core::ParseError;

namespace {

constexpr uint8_t kExtended = 0x80;
constexpr uint8_t kHasPictureId = 0x80;
constexpr uint8_t kHasTl0 = 0x40;
constexpr uint8_t kHasTemporalLayer = 0x20;
constexpr uint8_t kHasKeyIndex = 0x10;
constexpr uint8_t kLongPictureId = 0x80;

// RFC 6386 section 9.1, after the descriptor of a packet that starts a frame:
// |size0|H| VER |P|  size1  |  size2  |  then, in key frames, 9d 01 2a and two scaled 14-bit sizes, little
// endian
void parse_frame_start(core::Bytes frame, Vp8Packet& p) {
  if (frame.empty() || (frame[0] & 0x01) != 0) return;
  p.is_key_frame = true;
  if (frame.size() < 10 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return;
  p.width = static_cast<uint16_t>((frame[6] | frame[7] << 8) & 0x3fff);
  p.height = static_cast<uint16_t>((frame[8] | frame[9] << 8) & 0x3fff);
}

}  // namespace

core::Result<Vp8Packet, ParseError> parse_vp8(core::Bytes payload) {
  core::ByteReader r(payload);
  Vp8Packet p;
  Vp8Descriptor& d = p.descriptor;
  const uint8_t first = r.u8();
  d.is_non_reference = (first & 0x20) != 0;
  d.is_partition_start = (first & 0x10) != 0;
  d.partition = first & 0x07;
  const uint8_t present = (first & kExtended) != 0 ? r.u8() : uint8_t{0};
  if (present & kHasPictureId) {
    d.picture_id_offset = static_cast<uint8_t>(r.position());
    uint16_t id = r.u8();
    d.has_long_picture_id = (id & kLongPictureId) != 0;
    if (d.has_long_picture_id) id = static_cast<uint16_t>((id & 0x7f) << 8 | r.u8());
    d.picture_id = id;
  }
  if (present & kHasTl0) {
    d.tl0_offset = static_cast<uint8_t>(r.position());
    d.tl0_picture_index = r.u8();
  }
  if (present & (kHasTemporalLayer | kHasKeyIndex)) {
    const uint8_t layer = r.u8();
    if (present & kHasTemporalLayer) {
      d.temporal_layer = static_cast<uint8_t>(layer >> 6);
      d.is_layer_sync = (layer & 0x20) != 0;
    }
    if (present & kHasKeyIndex) d.key_index = static_cast<uint8_t>(layer & 0x1f);
  }
  // A descriptor without payload is forbidden: the packet would say nothing.
  if (r.failed() || r.remaining() == 0) return err(ParseError::Truncated);
  d.size = static_cast<uint8_t>(r.position());
  if (d.is_frame_start()) parse_frame_start(r.rest(), p);
  return p;
}

size_t write_vp8_descriptor(core::MutableBytes out, const Vp8Descriptor& d) {
  const bool has_layer_byte = d.temporal_layer || d.key_index;
  const auto present =
      static_cast<uint8_t>((d.picture_id ? kHasPictureId : 0) | (d.tl0_picture_index ? kHasTl0 : 0) |
                           (d.temporal_layer ? kHasTemporalLayer : 0) | (d.key_index ? kHasKeyIndex : 0));
  core::ByteWriter w(out);
  w.u8(static_cast<uint8_t>((present != 0 ? kExtended : 0) | (d.is_non_reference ? 0x20 : 0) |
                            (d.is_partition_start ? 0x10 : 0) | (d.partition & 0x07)));
  if (present != 0) w.u8(present);
  if (d.picture_id) w.u16(static_cast<uint16_t>(0x8000 | *d.picture_id));
  if (d.tl0_picture_index) w.u8(*d.tl0_picture_index);
  if (has_layer_byte) {
    w.u8(static_cast<uint8_t>(d.temporal_layer.value_or(0) << 6 | (d.is_layer_sync ? 0x20 : 0) |
                              (d.key_index.value_or(0) & 0x1f)));
  }
  return w.failed() ? 0 : w.size();
}

void rewrite_vp8(core::MutableBytes payload, const Vp8Descriptor& d, uint16_t picture_id,
                 uint8_t tl0_picture_index) {
  if (d.picture_id) {
    uint8_t* at = payload.data() + d.picture_id_offset;
    if (d.has_long_picture_id) {
      core::store_u16(at, static_cast<uint16_t>(0x8000 | picture_id));
    } else {
      *at = picture_id & 0x7f;
    }
  }
  if (d.tl0_picture_index) payload[d.tl0_offset] = tl0_picture_index;
}

int64_t Vp8Rewriter::unwrap(const Vp8Descriptor& d) {
  // The ids count modulo 2^15 or 2^7; moved to the top of 16 bits, their wrap becomes that of the unwrapper.
  const unsigned shift = d.has_long_picture_id ? 1 : 9;
  return unwrapper_.unwrap(static_cast<uint16_t>(*d.picture_id << shift)) >> shift;
}

void Vp8Rewriter::begin_source() {
  starting_ = true;
  entries_.fill(Entry{});
  unwrapper_ = {};
}

void Vp8Rewriter::start_at(const Vp8Descriptor& d, int64_t source) {
  starting_ = false;
  first_ = source;
  highest_ = source;
  if (!has_sent_) last_out_ = source - 1;
  shift_ = last_out_ + 1 - source;
  tl0_shift_ = 0;
  if (has_sent_ && d.tl0_picture_index) {
    tl0_shift_ = static_cast<uint8_t>(last_tl0_out_ + 1 - *d.tl0_picture_index);
  }
  entry(source) = {.source = source, .shift = shift_};
}

// Pictures between the highest so far and this one are on their way or lost: their numbers are kept free.
void Vp8Rewriter::advance_to(int64_t source) {
  const int64_t from = std::max(highest_ + 1, source - static_cast<int64_t>(kRemembered) + 1);
  for (int64_t s = from; s <= source; ++s) entry(s) = {.source = s, .shift = shift_};
  highest_ = source;
}

std::optional<Vp8Rewriter::Numbers> Vp8Rewriter::map(const Vp8Descriptor& d) {
  const int64_t source = d.picture_id ? unwrap(d) : 0;
  if (starting_) start_at(d, source);
  if (d.picture_id && source > highest_) advance_to(source);
  const Entry& e = entry(source);
  if (source < first_ || e.source != source || e.dropped) return std::nullopt;
  const int64_t out = source + e.shift;
  if (!has_sent_ || out > last_out_) last_out_ = out;
  has_sent_ = true;
  const auto tl0 = static_cast<uint8_t>(d.tl0_picture_index.value_or(0) + tl0_shift_);
  if (d.tl0_picture_index && source == highest_) last_tl0_out_ = tl0;
  return Numbers{static_cast<uint16_t>(out & 0x7fff), tl0};
}

void Vp8Rewriter::drop(const Vp8Descriptor& d) {
  if (!d.picture_id || starting_) return;
  const int64_t source = unwrap(d);
  if (source <= highest_) return;  // a late one: its number was kept free, and stays so
  advance_to(source);
  entry(source).dropped = true;
  --shift_;
}

}  // namespace huitang::codec
