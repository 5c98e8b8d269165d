#include "codec/h264.h"

namespace huitang::codec {

using core::err;
using core::ParseError;

namespace {

constexpr uint8_t kSlice = 1;
constexpr uint8_t kPartitionA = 2;
constexpr uint8_t kIdr = 5;
constexpr uint8_t kSps = 7;
constexpr uint8_t kPps = 8;
constexpr uint8_t kLastSingleType = 23;
constexpr uint8_t kStapA = 24;
constexpr uint8_t kFuA = 28;

/// Takes note of a NAL unit of which at least the beginning is here.
void note_unit(H264Packet& p, core::Bytes unit) {
  const uint8_t type = unit[0] & 0x1f;
  p.has_sps = p.has_sps || type == kSps;
  p.has_pps = p.has_pps || type == kPps;
  p.has_idr = p.has_idr || type == kIdr;
  p.starts_slice = p.starts_slice || type == kSlice || type == kPartitionA || type == kIdr;
  if (type != kSps) return;
  if (const auto size = parse_h264_sps(unit)) {
    p.width = size->width;
    p.height = size->height;
  }
}

core::Result<H264Packet, ParseError> parse_stap(core::Bytes payload, H264Packet p) {
  p.packing = H264Packing::StapA;
  core::ByteReader r(payload.subspan(1));
  bool first = true;
  while (r.remaining() > 0) {
    const core::Bytes unit = r.take(r.u16());
    if (r.failed() || unit.empty()) return err(ParseError::Malformed);
    if (first) p.nal_type = unit[0] & 0x1f;
    first = false;
    note_unit(p, unit);
  }
  if (first) return err(ParseError::Truncated);
  return p;
}

core::Result<H264Packet, ParseError> parse_fu(core::Bytes payload, H264Packet p) {
  if (payload.size() < 3) return err(ParseError::Truncated);
  p.packing = H264Packing::FuA;
  p.nal_type = payload[1] & 0x1f;
  p.is_fragment_start = (payload[1] & 0x80) != 0;
  p.is_fragment_end = (payload[1] & 0x40) != 0;
  if (p.is_fragment_start && p.is_fragment_end) return err(ParseError::Malformed);  // RFC 6184 section 5.8
  if (p.is_fragment_start) {
    p.has_sps = p.nal_type == kSps;
    p.has_pps = p.nal_type == kPps;
    p.has_idr = p.nal_type == kIdr;
    p.starts_slice = p.nal_type == kSlice || p.nal_type == kPartitionA || p.nal_type == kIdr;
  }
  return p;
}

/// Bits of a raw byte sequence payload: emulation prevention bytes (00 00 03) are left out.
class BitReader {
 public:
  explicit BitReader(core::Bytes b) : b_(b) {}
  bool failed() const { return failed_; }

  uint32_t bit() {
    if (used_ == 8) next_byte();
    if (failed_) return 0;
    return current_ >> (7 - used_++) & 1U;
  }
  uint32_t bits(int n) {
    uint32_t v = 0;
    for (int i = 0; i < n; ++i) v = v << 1 | bit();
    return v;
  }
  /// ue(v), section 9.1.
  uint32_t exp_golomb() {
    int zeros = 0;
    while (bit() == 0 && !failed_) {
      if (++zeros > 31) {
        failed_ = true;
        return 0;
      }
    }
    return (1U << zeros) - 1 + bits(zeros);
  }
  int32_t signed_exp_golomb() {
    const uint32_t v = exp_golomb();
    const auto half = static_cast<int32_t>(v / 2 + v % 2);
    return (v & 1) != 0 ? half : -half;
  }

 private:
  void next_byte() {
    if (zeros_ >= 2 && at_ < b_.size() && b_[at_] == 3) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ >= b_.size()) {
      failed_ = true;
      return;
    }
    current_ = b_[at_++];
    zeros_ = current_ == 0 ? zeros_ + 1 : 0;
    used_ = 0;
  }
  core::Bytes b_;
  size_t at_ = 0;
  unsigned used_ = 8;
  uint8_t current_ = 0;
  int zeros_ = 0;
  bool failed_ = false;
};

void skip_scaling_list(BitReader& r, int size) {
  int32_t last = 8;
  int32_t next = 8;
  for (int i = 0; i < size && !r.failed(); ++i) {
    if (next != 0)
      next = static_cast<int32_t>((static_cast<int64_t>(last) + r.signed_exp_golomb() + 256) % 256);
    if (next != 0) last = next;
  }
}

bool has_chroma_format(uint32_t profile) {
  for (const uint32_t p : {100U, 110U, 122U, 244U, 44U, 83U, 86U, 118U, 128U, 138U, 139U, 134U, 135U}) {
    if (p == profile) return true;
  }
  return false;
}

/// Chroma format of the profiles that say it; skips bit depths and scaling lists.
uint32_t read_chroma_format(BitReader& r) {
  const uint32_t format = r.exp_golomb();
  if (format == 3) r.bit();
  r.exp_golomb();
  r.exp_golomb();
  r.bit();
  if (r.bit() != 0) {
    const int lists = format == 3 ? 12 : 8;
    for (int i = 0; i < lists; ++i) {
      if (r.bit() != 0) skip_scaling_list(r, i < 6 ? 16 : 64);
    }
  }
  return format;
}

void skip_picture_order(BitReader& r) {
  const uint32_t type = r.exp_golomb();
  if (type == 0) r.exp_golomb();
  if (type != 1) return;
  r.bit();
  r.exp_golomb();
  r.exp_golomb();
  const uint32_t cycle = r.exp_golomb();
  for (uint32_t i = 0; i < cycle && i < 256 && !r.failed(); ++i) r.exp_golomb();
}

}  // namespace

core::Result<H264Packet, ParseError> parse_h264(core::Bytes payload) {
  if (payload.size() < 2) return err(ParseError::Truncated);
  if (payload[0] & 0x80) return err(ParseError::Malformed);
  H264Packet p{.nal_type = static_cast<uint8_t>(payload[0] & 0x1f),
               .nal_ref_idc = static_cast<uint8_t>(payload[0] >> 5 & 3)};
  if (p.nal_type == kStapA) return parse_stap(payload, p);
  if (p.nal_type == kFuA) return parse_fu(payload, p);
  if (p.nal_type == 0 || p.nal_type > kLastSingleType) return err(ParseError::Unsupported);
  note_unit(p, payload);
  return p;
}

core::Result<H264Resolution, ParseError> parse_h264_sps(core::Bytes sps) {
  if (sps.empty() || (sps[0] & 0x1f) != kSps) return err(ParseError::Unsupported);
  BitReader r(sps.subspan(1));
  const uint32_t profile = r.bits(8);
  r.bits(16);  // constraints and level
  r.exp_golomb();
  const uint32_t chroma = has_chroma_format(profile) ? read_chroma_format(r) : 1;
  r.exp_golomb();
  skip_picture_order(r);
  r.exp_golomb();
  r.bit();
  const uint64_t width = (uint64_t{r.exp_golomb()} + 1) * 16;
  const uint64_t map_units = uint64_t{r.exp_golomb()} + 1;
  const bool frames_only = r.bit() != 0;
  const uint64_t height = map_units * 16 * (frames_only ? 1 : 2);
  if (!frames_only) r.bit();
  r.bit();
  uint64_t cut_x = 0;
  uint64_t cut_y = 0;
  if (r.bit() != 0) {
    const uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    const uint64_t unit_y = (chroma == 1 ? 2U : 1U) * (frames_only ? 1U : 2U);
    const uint64_t left = r.exp_golomb(), right = r.exp_golomb(), top = r.exp_golomb(),
                   bottom = r.exp_golomb();
    cut_x = unit_x * (left + right);
    cut_y = unit_y * (top + bottom);
  }
  if (r.failed()) return err(ParseError::Truncated);
  if (width > 0x4000 || height > 0x4000 || cut_x >= width || cut_y >= height)
    return err(ParseError::Malformed);
  return H264Resolution{static_cast<uint16_t>(width - cut_x), static_cast<uint16_t>(height - cut_y)};
}

}  // namespace huitang::codec
