// The worker's way out: copies of a turn, reports and requests, sealed into send slots.
#include <array>
#include <cstring>

#include "rtp/rtcp.h"
#include "worker/worker.h"

namespace huitang::worker {
namespace {

constexpr size_t kRtcpRoom = 1200;

}  // namespace

void Worker::send_media() {
  send_batch();
  send_reports();
  batch_.clear();
}

/// A worker with more to send than time, or than the socket takes, sends the sound of all before any picture.
void Worker::send_batch() {
  if (governor_.level() == LoadLevel::Normal) return send_pass(Pass::All);
  send_pass(Pass::Sound);
  send_pass(Pass::Pictures);
}

/// The copies of a turn, receiver by receiver: one cipher stays in the cache, and the packets of one
/// destination leave as one segmented message.
void Worker::send_pass(Pass pass) {
  const auto& packets = batch_.packets;
  next_of_receiver_.resize(packets.size());
  receivers_of_batch_.clear();
  for (uint32_t i = 0; i < packets.size(); ++i) {
    if (pass != Pass::All && packets[i].is_audio != (pass == Pass::Sound)) continue;
    PeerEntry* entry = by_receiver_[packets[i].receiver.value()];
    next_of_receiver_[i] = PeerEntry::kNoPacket;
    if (entry == nullptr || !entry->peer->can_send()) {
      ++counters_.unsealed;
      continue;
    }
    if (entry->first_packet == PeerEntry::kNoPacket) {
      entry->first_packet = i;
      receivers_of_batch_.push_back(entry);
    } else {
      next_of_receiver_[entry->last_packet] = i;
    }
    entry->last_packet = i;
  }
  for (PeerEntry* entry : receivers_of_batch_) {
    send_packets_of(*entry, entry->first_packet);
    entry->first_packet = entry->last_packet = PeerEntry::kNoPacket;
  }
}

void Worker::send_packets_of(PeerEntry& entry, uint32_t first) {
  for (uint32_t i = first; i != PeerEntry::kNoPacket; i = next_of_receiver_[i])
    send_packet(entry, batch_.packets[i]);
}

void Worker::send_packet(PeerEntry& entry, const sfu::ForwardedPacket& packet) {
  const core::MutableBytes slot = out_.slot(*entry.peer->destination(), entry.local);
  const rtp::PacketHeader header{.payload_type = packet.payload_type,
                                 .marker = packet.marker,
                                 .sequence_number = static_cast<uint16_t>(packet.sequence),
                                 .timestamp = packet.timestamp,
                                 .ssrc = packet.ssrc};
  rtp::HeaderWriter writer(slot, header, {&packet.csrc, 1}, entry.extension_ids.form());
  rtp::write_transport_cc(writer, entry.extension_ids, entry.transport_number);
  if (packet.has_audio_level) rtp::write_audio_level(writer, entry.extension_ids, packet.audio_level);
  const size_t header_size = writer.finish();
  core::Bytes payload = slab_.bytes(packet.body);
  const size_t payload_size = packet.prefix_size + payload.size();
  if (header_size == 0 || header_size + payload_size + srtp::kMaxRtpOverhead > slot.size()) {
    ++counters_.unsealed;
    return out_.commit(0);
  }
  if (packet.prefix_size != 0) {
    // A rewritten codec header goes before the shared body: both are laid where the packet lies and sealed in
    // place.
    uint8_t* at = slot.data() + header_size;
    std::memcpy(at, packet.prefix.data(), packet.prefix_size);
    if (!payload.empty()) std::memcpy(at + packet.prefix_size, payload.data(), payload.size());
    payload = {at, payload_size};
  }
  const size_t size =
      entry.peer->seal_rtp(static_cast<uint64_t>(packet.sequence), slot.first(header_size), payload, slot);
  out_.commit(size);
  if (size == 0) {
    ++counters_.unsealed;
    return;
  }
  ++entry.transport_number;
  ++counters_.packets_sealed;
}

void Worker::send_reports() {
  for (const sfu::SlotReport& report : batch_.reports) {
    PeerEntry* entry = by_receiver_[report.receiver.value()];
    if (entry == nullptr || !entry->peer->can_send()) continue;
    std::array<uint8_t, kRtcpRoom> room;
    rtp::CompoundWriter writer(room);
    writer.add_sender_report(report.info);
    writer.add_cname(report.info.ssrc, entry->peer->cname());
    send_rtcp(*entry, writer.written());
  }
}

void Worker::send_requests(core::Instant now) {
  while (const auto request = forwarder_.poll_request()) {
    std::array<uint8_t, kRtcpRoom> room;
    rtp::CompoundWriter writer(room);
    const auto ssrc_of = [this](sfu::SourceNumber number, uint8_t layer) -> std::pair<PeerEntry*, uint32_t> {
      PeerEntry* owner = find_owner(number);
      if (owner == nullptr || !owner->peer->can_send()) return {nullptr, 0};
      for (const InboundLine& line : owner->lines)
        if (line.source.is_valid() && line.source.number == number) return {owner, line.layers[layer].ssrc};
      return {nullptr, 0};
    };
    if (const auto* key = std::get_if<sfu::KeyFrameRequest>(&*request)) {
      const auto [owner, ssrc] = ssrc_of(key->source, key->layer);
      if (owner == nullptr || ssrc == 0) continue;
      writer.add_pli(owner->peer->feedback_ssrc(), ssrc);
      owner->log.add(now, {.number = key->source.value(), .kind = LogKind::KeyFrameRequest, .b = key->layer});
      send_rtcp(*owner, writer.written());
    } else if (const auto* nack = std::get_if<sfu::UpstreamNack>(&*request)) {
      const auto [owner, ssrc] = ssrc_of(nack->source, nack->layer);
      if (owner == nullptr || ssrc == 0) continue;
      writer.add_nack(owner->peer->feedback_ssrc(), ssrc, std::span(nack->numbers).first(nack->count));
      send_rtcp(*owner, writer.written());
    }
  }
}

void Worker::send_rtcp(PeerEntry& entry, core::Bytes rtcp) {
  if (rtcp.empty() || !entry.peer->can_send()) return;
  const core::MutableBytes slot = out_.slot(*entry.peer->destination(), entry.local);
  out_.commit(entry.peer->seal_rtcp(rtcp, slot));
}

void Worker::send_receiver_report(core::Instant now, PeerEntry& entry) {
  entry.next_report = now + PeerEntry::kReportInterval;
  if (!entry.peer->can_send()) return;
  std::array<rtp::ReportBlock, rtp::kMaxReportBlocks> blocks;
  size_t count = 0;
  for (InboundLine& line : entry.lines)
    for (InboundLayer& layer : line.layers)
      if (layer.statistics && layer.statistics->has_news() && count < blocks.size()) {
        blocks[count] = layer.statistics->take_report(now);
        entry.log.add_loss(now, LogKind::LossIn, blocks[count++].fraction_lost);
      }
  if (count == 0) return;
  std::array<uint8_t, kRtcpRoom> room;
  rtp::CompoundWriter writer(room);
  writer.add_receiver_report(entry.peer->feedback_ssrc(), std::span(blocks).first(count));
  writer.add_cname(entry.peer->feedback_ssrc(), entry.peer->cname());
  send_rtcp(entry, writer.written());
}

}  // namespace huitang::worker
