#include "rtp/rtcp.h"

#include <algorithm>
#include <array>

namespace huitang::rtp {

using core::Bytes;
using core::err;
using core::ParseError;
using core::Result;

namespace {

constexpr size_t kHeaderSize = 4;
constexpr uint8_t kNackFormat = 1;
constexpr uint8_t kTransportFeedbackFormat = 15;
constexpr uint8_t kPliFormat = 1;
constexpr uint8_t kFirFormat = 4;
constexpr uint8_t kApplicationFormat = 15;
constexpr uint32_t kRembName = 0x52454d42;  // "REMB"
constexpr uint8_t kCnameItem = 1;
constexpr uint8_t kXrReferenceTime = 4;
constexpr uint8_t kXrDlrr = 5;

/// One packet of a compound: `body` follows the four header bytes, padding removed.
struct RawPacket {
  uint8_t type = 0;
  uint8_t format = 0;
  Bytes body;
};

// Each parser fills `out` and says whether the contents were sound.

bool parse_sender_report(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  SenderReportView v;
  v.info.ssrc = r.u32();
  v.info.ntp = NtpTime::from_bits(r.u64());
  v.info.rtp_timestamp = r.u32();
  v.info.packet_count = r.u32();
  v.info.octet_count = r.u32();
  v.blocks = ReportBlocks(r.take(ReportBlocks::kSize * p.format));
  if (r.failed()) return false;
  return out = v, true;
}

bool parse_receiver_report(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  ReceiverReportView v;
  v.ssrc = r.u32();
  v.blocks = ReportBlocks(r.take(ReportBlocks::kSize * p.format));
  if (r.failed()) return false;
  return out = v, true;
}

// |  SSRC  |  item type | length | text … |  …  | 0 padding to a word |
bool parse_sdes(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  SdesView v;
  for (uint8_t chunk = 0; chunk < p.format; ++chunk) {
    const uint32_t ssrc = r.u32();
    for (uint8_t type = r.u8(); type != 0 && !r.failed(); type = r.u8()) {
      const Bytes text = r.take(r.u8());
      if (type == kCnameItem && v.cname.empty() && !r.failed()) v = {ssrc, core::as_text(text)};
    }
    r.skip((4 - r.position() % 4) % 4);
    if (r.failed()) return false;
  }
  return out = v, true;
}

bool parse_bye(const RawPacket& p, RtcpView& out) {
  if (p.body.size() < 4U * p.format) return false;
  return out = ByeView{p.body.first(4U * p.format)}, true;
}

// |  "REMB"  |  Num SSRC (8) | exponent (6) | mantissa (18)  |  SSRC …  |
bool parse_remb(uint32_t sender, core::ByteReader r, RtcpView& out) {
  if (r.u32() != kRembName) return out = UnknownRtcpView{206, kApplicationFormat}, true;
  const uint8_t count = r.u8();
  const uint32_t rate = r.u24();
  const auto exponent = static_cast<int>(rate >> 18);
  const int64_t mantissa = rate & 0x3ffff;
  const Bytes ssrcs = r.take(4U * count);
  if (r.failed()) return false;
  if (exponent > 44) return false;  // mantissa << exponent would leave 63 bits
  return out = RembView{sender, core::Bitrate::bps(mantissa << exponent), ssrcs}, true;
}

bool parse_transport_layer(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  const uint32_t sender = r.u32();
  const uint32_t media = r.u32();
  if (r.failed()) return false;
  if (p.format == kNackFormat) {
    if (r.remaining() == 0 || r.remaining() % 4 != 0) return false;
    return out = NackView{sender, media, r.rest()}, true;
  }
  if (p.format == kTransportFeedbackFormat) {
    const auto feedback = parse_transport_feedback(sender, media, r.rest());
    if (!feedback) return false;
    return out = *feedback, true;
  }
  return out = UnknownRtcpView{p.type, p.format}, true;
}

bool parse_payload_specific(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  const uint32_t sender = r.u32();
  const uint32_t media = r.u32();
  if (r.failed()) return false;
  if (p.format == kPliFormat) return out = PliView{sender, media}, true;
  if (p.format == kFirFormat) {
    if (r.remaining() == 0 || r.remaining() % 8 != 0) return false;
    return out = FirView{sender, r.rest()}, true;
  }
  if (p.format == kApplicationFormat && r.remaining() >= 8) return parse_remb(sender, r, out);
  return out = UnknownRtcpView{p.type, p.format}, true;
}

// Report blocks: |  BT  | type-specific | length in words |  contents …  |
bool parse_extended_report(const RawPacket& p, RtcpView& out) {
  core::ByteReader r(p.body);
  XrView v;
  v.sender_ssrc = r.u32();
  while (r.remaining() >= 4 && !r.failed()) {
    const uint8_t type = r.u8();
    r.u8();
    const size_t length = r.u16() * 4U;
    const Bytes contents = r.take(length);
    if (r.failed()) break;
    if (type == kXrReferenceTime && length == 8) {
      v.reference_time = NtpTime::from_bits(core::load_u64(contents.data()));
    } else if (type == kXrDlrr && length % 12 == 0) {
      v.dlrr = contents;
    }
  }
  if (r.failed() || r.remaining() != 0) return false;
  return out = v, true;
}

bool parse_contents(const RawPacket& p, RtcpView& out) {
  switch (static_cast<RtcpType>(p.type)) {
    case RtcpType::SenderReport: return parse_sender_report(p, out);
    case RtcpType::ReceiverReport: return parse_receiver_report(p, out);
    case RtcpType::Sdes: return parse_sdes(p, out);
    case RtcpType::Bye: return parse_bye(p, out);
    case RtcpType::TransportFeedback: return parse_transport_layer(p, out);
    case RtcpType::PayloadFeedback: return parse_payload_specific(p, out);
    case RtcpType::ExtendedReport: return parse_extended_report(p, out);
    case RtcpType::App: break;
  }
  return out = UnknownRtcpView{p.type, p.format}, true;
}

/// Cuts the first packet off `rest`. A wrong version, length or padding makes everything after it unusable.
Result<RawPacket, ParseError> take_packet(Bytes& rest) {
  if (rest.size() < kHeaderSize) return err(ParseError::Truncated);
  if (rest[0] >> 6 != 2) return err(ParseError::Unsupported);
  const size_t size = (core::load_u16(rest.data() + 2) + 1U) * 4;
  if (size > rest.size()) return err(ParseError::Truncated);
  RawPacket p{rest[1], static_cast<uint8_t>(rest[0] & 0x1f), rest.subspan(kHeaderSize, size - kHeaderSize)};
  if (rest[0] & 0x20) {
    const size_t padding = p.body.empty() ? 0 : p.body.back();
    if (padding == 0 || padding > p.body.size()) return err(ParseError::Malformed);
    p.body = p.body.first(p.body.size() - padding);
  }
  rest = rest.subspan(size);
  return p;
}

/// A packet being written at the front of `out`; commit() gives its size, 0 when it did not fit.
class PacketBuilder {
 public:
  PacketBuilder(core::MutableBytes out, RtcpType type, uint8_t format) : out_(out), w_(out) {
    w_.u8(static_cast<uint8_t>(0x80 | (format & 0x1f)));
    w_.u8(static_cast<uint8_t>(type));
    w_.u16(0);
  }
  core::ByteWriter& w() { return w_; }
  size_t commit() {
    w_.zeros((4 - w_.size() % 4) % 4);
    if (w_.failed() || w_.size() > 0x40000) return 0;
    core::store_u16(out_.data() + 2, static_cast<uint16_t>(w_.size() / 4 - 1));
    return w_.size();
  }

 private:
  core::MutableBytes out_;
  core::ByteWriter w_;
};

void write_block(core::ByteWriter& w, const ReportBlock& b) {
  w.u32(b.ssrc);
  w.u8(b.fraction_lost);
  w.u24(static_cast<uint32_t>(std::clamp(b.cumulative_lost, -0x800000, 0x7fffff)) & 0xffffff);
  w.u32(b.highest_sequence);
  w.u32(b.jitter);
  w.u32(b.last_sr);
  w.u32(b.delay_since_last_sr);
}

}  // namespace

ReportBlock ReportBlocks::operator[](size_t i) const {
  const uint8_t* p = b_.data() + i * kSize;
  // The 24-bit value is shifted to the top and back, which carries its sign along.
  const auto lost = static_cast<int32_t>(core::load_u24(p + 5) << 8) >> 8;
  return {.ssrc = core::load_u32(p),
          .fraction_lost = p[4],
          .cumulative_lost = lost,
          .highest_sequence = core::load_u32(p + 8),
          .jitter = core::load_u32(p + 12),
          .last_sr = core::load_u32(p + 16),
          .delay_since_last_sr = core::load_u32(p + 20)};
}

std::optional<RtcpView> CompoundReader::next() {
  while (!rest_.empty()) {
    const auto raw = take_packet(rest_);
    if (!raw) {
      failed_ = true;
      rest_ = {};
      break;
    }
    RtcpView view;
    if (parse_contents(*raw, view)) return view;
    failed_ = true;
  }
  return std::nullopt;
}

bool CompoundWriter::add_sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks) {
  if (blocks.size() > kMaxReportBlocks) return false;
  PacketBuilder p(out_.subspan(size_), RtcpType::SenderReport, static_cast<uint8_t>(blocks.size()));
  p.w().u32(info.ssrc);
  p.w().u64(info.ntp.bits());
  p.w().u32(info.rtp_timestamp);
  p.w().u32(info.packet_count);
  p.w().u32(info.octet_count);
  for (const auto& b : blocks) write_block(p.w(), b);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_receiver_report(uint32_t sender_ssrc, std::span<const ReportBlock> blocks) {
  if (blocks.size() > kMaxReportBlocks) return false;
  PacketBuilder p(out_.subspan(size_), RtcpType::ReceiverReport, static_cast<uint8_t>(blocks.size()));
  p.w().u32(sender_ssrc);
  for (const auto& b : blocks) write_block(p.w(), b);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_cname(uint32_t ssrc, std::string_view cname) {
  if (cname.empty() || cname.size() > 255) return false;
  PacketBuilder p(out_.subspan(size_), RtcpType::Sdes, 1);
  p.w().u32(ssrc);
  p.w().u8(kCnameItem);
  p.w().u8(static_cast<uint8_t>(cname.size()));
  p.w().bytes(core::as_bytes(cname));
  p.w().u8(0);  // ends the chunk; commit() fills the word
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_bye(std::span<const uint32_t> ssrcs) {
  if (ssrcs.size() > 31) return false;
  PacketBuilder p(out_.subspan(size_), RtcpType::Bye, static_cast<uint8_t>(ssrcs.size()));
  for (const uint32_t s : ssrcs) p.w().u32(s);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

size_t CompoundWriter::add_nack(uint32_t sender_ssrc, uint32_t media_ssrc, std::span<const uint16_t> lost) {
  if (lost.empty() || room() < 16) return 0;
  PacketBuilder p(out_.subspan(size_), RtcpType::TransportFeedback, kNackFormat);
  p.w().u32(sender_ssrc);
  p.w().u32(media_ssrc);
  size_t i = 0;
  while (i < lost.size() && p.w().room() >= 4) {
    const uint16_t pid = lost[i++];
    uint16_t blp = 0;
    for (; i < lost.size(); ++i) {
      const auto distance = static_cast<uint16_t>(lost[i] - pid);
      if (distance > 16) break;
      if (distance != 0) blp = static_cast<uint16_t>(blp | 1U << (distance - 1));
    }
    p.w().u16(pid);
    p.w().u16(blp);
  }
  const size_t n = p.commit();
  size_ += n;
  return n != 0 ? i : 0;
}

bool CompoundWriter::add_pli(uint32_t sender_ssrc, uint32_t media_ssrc) {
  PacketBuilder p(out_.subspan(size_), RtcpType::PayloadFeedback, kPliFormat);
  p.w().u32(sender_ssrc);
  p.w().u32(media_ssrc);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_fir(uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t command) {
  PacketBuilder p(out_.subspan(size_), RtcpType::PayloadFeedback, kFirFormat);
  p.w().u32(sender_ssrc);
  p.w().u32(0);  // RFC 5104 section 4.3.1.1: unused, the target stands in the item
  p.w().u32(media_ssrc);
  p.w().u8(command);
  p.w().u24(0);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_remb(uint32_t sender_ssrc, core::Bitrate bitrate, std::span<const uint32_t> ssrcs) {
  if (ssrcs.size() > 255) return false;
  auto mantissa = static_cast<uint64_t>(std::max<int64_t>(bitrate.to_bps(), 0));
  uint32_t exponent = 0;
  for (; mantissa > 0x3ffff; mantissa >>= 1) ++exponent;
  PacketBuilder p(out_.subspan(size_), RtcpType::PayloadFeedback, kApplicationFormat);
  p.w().u32(sender_ssrc);
  p.w().u32(0);
  p.w().u32(kRembName);
  p.w().u8(static_cast<uint8_t>(ssrcs.size()));
  p.w().u24(exponent << 18 | static_cast<uint32_t>(mantissa));
  for (const uint32_t s : ssrcs) p.w().u32(s);
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

size_t CompoundWriter::add_transport_feedback(const TransportFeedbackHeader& header,
                                              std::span<const PacketArrival> arrivals) {
  const auto written = write_transport_feedback(out_.subspan(size_), header, arrivals);
  size_ += written.bytes;
  return written.arrivals;
}

bool CompoundWriter::add_reference_time(uint32_t sender_ssrc, NtpTime now) {
  PacketBuilder p(out_.subspan(size_), RtcpType::ExtendedReport, 0);
  p.w().u32(sender_ssrc);
  p.w().u8(kXrReferenceTime);
  p.w().u8(0);
  p.w().u16(2);
  p.w().u64(now.bits());
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

bool CompoundWriter::add_dlrr(uint32_t sender_ssrc, std::span<const XrView::Dlrr> items) {
  if (items.empty() || items.size() > 31) return false;
  PacketBuilder p(out_.subspan(size_), RtcpType::ExtendedReport, 0);
  p.w().u32(sender_ssrc);
  p.w().u8(kXrDlrr);
  p.w().u8(0);
  p.w().u16(static_cast<uint16_t>(3 * items.size()));
  for (const auto& i : items) {
    p.w().u32(i.ssrc);
    p.w().u32(i.last_rr);
    p.w().u32(i.delay_since_last_rr);
  }
  const size_t n = p.commit();
  size_ += n;
  return n != 0;
}

}  // namespace huitang::rtp
