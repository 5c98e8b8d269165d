// RTCP: compound and reduced-size packets, read as views and written into the caller's memory.
//
// RFC 3550 section 6 (SR, RR, SDES, BYE), RFC 4585 (NACK, PLI), RFC 5104 (FIR), RFC 5506 (reduced size), RFC
// 3611 (XR: RRTR, DLRR), REMB (draft-alvestrand-rmcat-remb-03, read only), transport-wide feedback
// (transport_feedback.h). No allocation. Lists of a view are checked when the packet is, so walking them
// cannot fail.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |V=2|P| RC/FMT  |   packet type |  length in words, minus one   |
// |                  SSRC of packet sender                        |
// |                  …                                            |
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"
#include "core/units.h"
#include "rtp/ntp_time.h"
#include "rtp/transport_feedback.h"

namespace huitang::rtp {

enum class RtcpType : uint8_t {
  SenderReport = 200,
  ReceiverReport = 201,
  Sdes = 202,
  Bye = 203,
  App = 204,
  TransportFeedback = 205,  ///< RTPFB: NACK (1), transport-wide (15)
  PayloadFeedback = 206,    ///< PSFB: PLI (1), FIR (4), application layer (15: REMB)
  ExtendedReport = 207,
};

struct ReportBlock {
  uint32_t ssrc = 0;
  uint8_t fraction_lost = 0;         ///< of 256
  int32_t cumulative_lost = 0;       ///< 24 bits, signed
  uint32_t highest_sequence = 0;     ///< with cycles in the upper 16 bits
  uint32_t jitter = 0;               ///< in timestamp units
  uint32_t last_sr = 0;              ///< compact NTP, 0 = none yet
  uint32_t delay_since_last_sr = 0;  ///< 16.16 seconds
  friend bool operator==(const ReportBlock&, const ReportBlock&) = default;
};
inline constexpr size_t kMaxReportBlocks = 31;

/// Report blocks in the packet's memory.
class ReportBlocks {
 public:
  ReportBlocks() = default;
  explicit ReportBlocks(core::Bytes b) : b_(b) {}
  size_t size() const { return b_.size() / kSize; }
  ReportBlock operator[](size_t i) const;
  static constexpr size_t kSize = 24;

 private:
  core::Bytes b_;
};

struct SenderInfo {
  uint32_t ssrc = 0;
  NtpTime ntp;
  uint32_t rtp_timestamp = 0;
  uint32_t packet_count = 0;
  uint32_t octet_count = 0;  ///< payload only
  friend bool operator==(const SenderInfo&, const SenderInfo&) = default;
};

struct SenderReportView {
  SenderInfo info;
  ReportBlocks blocks;
};
struct ReceiverReportView {
  uint32_t ssrc = 0;
  ReportBlocks blocks;
};
/// Only the first chunk that has a CNAME is given.
struct SdesView {
  uint32_t ssrc = 0;
  std::string_view cname;
};
struct ByeView {
  core::Bytes ssrcs;
  size_t size() const { return ssrcs.size() / 4; }
  uint32_t operator[](size_t i) const { return core::load_u32(ssrcs.data() + 4 * i); }
};
struct NackView {
  uint32_t sender_ssrc = 0;
  uint32_t media_ssrc = 0;
  core::Bytes items;  ///< PID and BLP pairs
  /// fn(uint16_t) for each lost number, in the order of the packet.
  template <class Fn>
  void for_each(Fn&& fn) const {
    for (size_t i = 0; i + 4 <= items.size(); i += 4) {
      const uint16_t pid = core::load_u16(items.data() + i);
      uint16_t blp = core::load_u16(items.data() + i + 2);
      fn(pid);
      for (uint16_t k = 1; blp != 0; ++k, blp = static_cast<uint16_t>(blp >> 1)) {
        if (blp & 1) fn(static_cast<uint16_t>(pid + k));
      }
    }
  }
};
struct PliView {
  uint32_t sender_ssrc = 0;
  uint32_t media_ssrc = 0;
};
struct FirView {
  uint32_t sender_ssrc = 0;
  core::Bytes items;  ///< SSRC, command number, 3 reserved bytes
  size_t size() const { return items.size() / 8; }
  uint32_t ssrc(size_t i) const { return core::load_u32(items.data() + 8 * i); }
  uint8_t command(size_t i) const { return items[8 * i + 4]; }
};
struct RembView {
  uint32_t sender_ssrc = 0;
  core::Bitrate bitrate;
  core::Bytes ssrcs;
  size_t size() const { return ssrcs.size() / 4; }
  uint32_t ssrc(size_t i) const { return core::load_u32(ssrcs.data() + 4 * i); }
};
/// Receiver reference time (RFC 3611 section 4.4) and the answers to ours (section 4.5).
struct XrView {
  uint32_t sender_ssrc = 0;
  std::optional<NtpTime> reference_time;
  core::Bytes dlrr;  ///< SSRC, last RR, delay since last RR
  struct Dlrr {
    uint32_t ssrc = 0;
    uint32_t last_rr = 0;
    uint32_t delay_since_last_rr = 0;
  };
  size_t dlrr_count() const { return dlrr.size() / 12; }
  Dlrr dlrr_at(size_t i) const {
    const uint8_t* p = dlrr.data() + 12 * i;
    return {core::load_u32(p), core::load_u32(p + 4), core::load_u32(p + 8)};
  }
};
/// Well formed, of a kind we have no use for.
struct UnknownRtcpView {
  uint8_t type = 0;
  uint8_t format = 0;
};

using RtcpView = std::variant<SenderReportView, ReceiverReportView, SdesView, ByeView, NackView, PliView,
                              FirView, RembView, TransportFeedbackView, XrView, UnknownRtcpView>;

/// Walks the packets of one datagram. Reduced size is accepted: any order, any first packet.
///
///   CompoundReader r(bytes);
///   while (auto p = r.next()) std::visit(…, *p);
///   if (r.failed()) ++malformed;
///
/// A packet with a sound length but wrong contents is skipped and remembered in failed(); a wrong length ends
/// the walk.
class CompoundReader {
 public:
  explicit CompoundReader(core::Bytes bytes) : rest_(bytes) {}
  std::optional<RtcpView> next();
  bool failed() const { return failed_; }

 private:
  core::Bytes rest_;
  bool failed_ = false;
};

/// Builds one datagram. Each add_* is all or nothing: false means it did not fit and nothing was written.
class CompoundWriter {
 public:
  explicit CompoundWriter(core::MutableBytes out) : out_(out) {}
  /// At most kMaxReportBlocks blocks.
  bool add_sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks = {});
  bool add_receiver_report(uint32_t sender_ssrc, std::span<const ReportBlock> blocks);
  /// 1..255 bytes.
  bool add_cname(uint32_t ssrc, std::string_view cname);
  bool add_bye(std::span<const uint32_t> ssrcs);
  /// `lost` ascending (in serial arithmetic). Gives how many were taken: fewer than all when room ran out.
  size_t add_nack(uint32_t sender_ssrc, uint32_t media_ssrc, std::span<const uint16_t> lost);
  bool add_pli(uint32_t sender_ssrc, uint32_t media_ssrc);
  /// The command number grows by one with each new request to that stream, not with repeats.
  bool add_fir(uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t command);
  bool add_remb(uint32_t sender_ssrc, core::Bitrate bitrate, std::span<const uint32_t> ssrcs);
  /// Encodes a prefix of `arrivals` (see write_transport_feedback); gives how many entries it covers, 0 for
  /// none.
  size_t add_transport_feedback(const TransportFeedbackHeader& header,
                                std::span<const PacketArrival> arrivals);
  bool add_reference_time(uint32_t sender_ssrc, NtpTime now);
  bool add_dlrr(uint32_t sender_ssrc, std::span<const XrView::Dlrr> items);

  size_t size() const { return size_; }
  size_t room() const { return out_.size() - size_; }
  core::Bytes written() const { return out_.first(size_); }

 private:
  core::MutableBytes out_;
  size_t size_ = 0;
};

}  // namespace huitang::rtp
