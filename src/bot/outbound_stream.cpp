#include "bot/outbound_stream.h"

#include <utility>

#include "rtp/rtx.h"

namespace huitang::bot {

namespace {
constexpr size_t kMaxHeader = 128;
}

OutboundStream::OutboundStream(Config config)
    : config_(std::move(config)),
      next_index_(config_.first_number),
      next_rtx_index_(config_.first_rtx_number) {}

uint32_t OutboundStream::timestamp_at(core::Instant at) const {
  const int64_t micros = (at - config_.origin).to_micros();
  return config_.timestamp_offset + static_cast<uint32_t>(micros * config_.clock_rate / 1'000'000);
}

size_t OutboundStream::seal(const Departure& departure, OutboundPacket packet, core::MutableBytes out) {
  const uint64_t index = next_index_++;
  const Place place{.header = {.payload_type = config_.payload_type,
                               .marker = packet.marker,
                               .sequence_number = static_cast<uint16_t>(index),
                               .timestamp = packet.timestamp,
                               .ssrc = config_.ssrc},
                    .index = index};
  const size_t size = seal_at(departure, place, packet, packet.payload, out);
  if (size == 0) return 0;
  ++packets_;
  octets_ += packet.payload.size();
  history_[index % kHistory] = {index, std::move(packet)};
  return size;
}

size_t OutboundStream::seal_again(const Departure& departure, uint16_t number, core::MutableBytes out) {
  if (!config_.rtx_payload_type || config_.rtx_ssrc == 0) return 0;
  const uint64_t index = next_index_ - static_cast<uint16_t>(next_index_ - number);
  const Sent& sent = history_[index % kHistory];
  if (sent.index != index) return 0;
  core::Buffer payload(rtp::kRtxOverhead);
  core::store_u16(payload.data(), number);
  payload.insert(payload.end(), sent.packet.payload.begin(), sent.packet.payload.end());
  const uint64_t rtx_index = next_rtx_index_++;
  const Place place{.header = {.payload_type = *config_.rtx_payload_type,
                               .marker = sent.packet.marker,
                               .sequence_number = static_cast<uint16_t>(rtx_index),
                               .timestamp = sent.packet.timestamp,
                               .ssrc = config_.rtx_ssrc},
                    .index = rtx_index,
                    .is_repair = true};
  return seal_at(departure, place, sent.packet, payload, out);
}

size_t OutboundStream::seal_at(const Departure& departure, const Place& place, const OutboundPacket& packet,
                               core::Bytes payload, core::MutableBytes out) const {
  const rtp::ExtensionIds& ids = config_.extensions;
  std::array<uint8_t, kMaxHeader> header;
  rtp::HeaderWriter w(header, place.header, {}, ids.form());
  write_mid(w, ids, config_.mid);
  if (!config_.rid.empty()) {
    place.is_repair ? write_repaired_rid(w, ids, config_.rid) : write_rid(w, ids, config_.rid);
  }
  if (packet.level) write_audio_level(w, ids, *packet.level);
  write_abs_send_time(w, ids, rtp::to_abs_send_time(departure.now));
  write_transport_cc(w, ids, departure.transport_number);
  const size_t header_size = w.finish();
  if (header_size == 0) return 0;
  return departure.transport.seal_rtp(place.index, core::Bytes(header).first(header_size), payload, out);
}

rtp::SenderInfo OutboundStream::report(core::Instant now, const rtp::NtpClock& clock) const {
  return {.ssrc = config_.ssrc,
          .ntp = clock.at(now),
          .rtp_timestamp = timestamp_at(now),
          .packet_count = static_cast<uint32_t>(packets_),
          .octet_count = static_cast<uint32_t>(octets_)};
}

}  // namespace huitang::bot
