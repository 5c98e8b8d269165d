// A client for the tests of this folder: bot::ClientTransport, and what it saw on its slots.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "bot/client_transport.h"
#include "bot/synthetic_media.h"
#include "core/random.h"
#include "net/clock.h"
#include "rtp/rtcp.h"
#include "worker/worker.h"

namespace huitang::worker {

struct SeenPacket {
  uint32_t ssrc = 0;
  uint16_t sequence_number = 0;
  uint32_t csrc = 0;
  bool intact = false;
  uint8_t payload_type = 0;
};

class TestClient {
 public:
  TestClient(core::Instant now, uint64_t id, core::SocketAddress address,
             const bot::ClientTransport::Services& services)
      : id_(id), address_(address), transport_(now, {.cname = "test"}, services) {}

  peer::PeerId id() const { return peer::PeerId(id_); }
  const core::SocketAddress& address() const { return address_; }
  bot::ClientTransport& transport() { return transport_; }
  std::vector<SeenPacket>& seen() { return seen_; }
  size_t sender_reports() const { return sender_reports_; }
  size_t receiver_reports() const { return receiver_reports_; }
  size_t plis() const { return plis_; }
  std::vector<rtp::SenderInfo>& sender_infos() { return sender_infos_; }
  /// Of the feedback about what it sent, in units of 64 ms.
  std::vector<int32_t>& feedback_times() { return feedback_times_; }

  std::vector<peer::Line> lines() const {
    std::vector<peer::Line> out;
    for (const sdp::OfferedLine& line : transport_.lines()) out.push_back({line.mid, line.use, line.index});
    return out;
  }

  void handle_datagram(core::Instant now, const core::SocketAddress& from, core::MutableBytes bytes) {
    const auto received = transport_.handle_datagram(now, from, bytes);
    if (const auto* media = std::get_if<bot::ClientTransport::Rtp>(&received)) note(media->packet);
    if (const auto* rtcp = std::get_if<bot::ClientTransport::Rtcp>(&received)) note(rtcp->packets);
  }

  /// The packets seen with this CSRC.
  size_t count_of(uint32_t source) const {
    return static_cast<size_t>(
        std::count_if(seen_.begin(), seen_.end(), [&](auto& p) { return p.csrc == source; }));
  }

  core::Buffer seal(const bot::SyntheticPacket& packet, std::string_view mid, std::string_view rid) {
    std::array<uint8_t, 200> room;
    rtp::HeaderWriter writer(room, packet.header);
    rtp::write_mid(writer, transport_.extension_ids(), mid);
    if (!rid.empty()) rtp::write_rid(writer, transport_.extension_ids(), rid);
    rtp::write_transport_cc(writer, transport_.extension_ids(), transport_number_++);
    if (rid.empty()) rtp::write_audio_level(writer, transport_.extension_ids(), {true, 20});
    core::Buffer out(1500);
    out.resize(transport_.seal_rtp(packet.index, {room.data(), writer.finish()}, packet.payload, out));
    return out;
  }
  core::Buffer seal_rtcp(core::Bytes clear) {
    core::Buffer out(1500);
    out.resize(transport_.seal_rtcp(clear, out));
    return out;
  }

 private:
  void note(const rtp::PacketView& packet) {
    seen_.push_back({packet.header.ssrc, packet.header.sequence_number,
                     packet.csrc_count == 1 ? packet.csrc(0) : 0,
                     bot::read_stamp(packet.payload()).has_value(), packet.header.payload_type});
  }
  void note(core::Bytes rtcp) {
    rtp::CompoundReader reader(rtcp);
    while (const auto packet = reader.next()) {
      sender_reports_ += std::holds_alternative<rtp::SenderReportView>(*packet);
      if (const auto* report = std::get_if<rtp::SenderReportView>(&*packet))
        sender_infos_.push_back(report->info);
      if (const auto* feedback = std::get_if<rtp::TransportFeedbackView>(&*packet))
        feedback_times_.push_back(feedback->reference_time);
      receiver_reports_ += std::holds_alternative<rtp::ReceiverReportView>(*packet);
      plis_ += std::holds_alternative<rtp::PliView>(*packet);
    }
  }

  uint64_t id_;
  core::SocketAddress address_;
  bot::ClientTransport transport_;
  std::vector<SeenPacket> seen_;
  std::vector<rtp::SenderInfo> sender_infos_;
  std::vector<int32_t> feedback_times_;
  uint16_t transport_number_ = 0;
  size_t sender_reports_ = 0, receiver_reports_ = 0, plis_ = 0;
};

}  // namespace huitang::worker
