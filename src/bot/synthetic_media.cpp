#include "bot/synthetic_media.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/vp8.h"

namespace huitang::bot {

namespace {
constexpr std::array<uint8_t, 8> kStampMark{'H', 'T', 's', 't', 'a', 'm', 'p', '1'};
constexpr uint8_t kOpusToc = 0xf8;  // full-band CELT, 20 ms, mono, one frame (RFC 6716 section 3.1)
constexpr size_t kMaxDescriptor = 8;
}  // namespace

void write_stamp(core::MutableBytes payload, core::Instant sent) {
  const core::MutableBytes stamp = payload.last(kStampSize);
  std::copy(kStampMark.begin(), kStampMark.end(), stamp.begin());
  core::store_u64(stamp.data() + kStampMark.size(), static_cast<uint64_t>(sent.to_nanos()));
}

std::optional<core::Instant> read_stamp(core::Bytes payload) {
  if (payload.size() < kStampSize) return std::nullopt;
  const core::Bytes stamp = payload.last(kStampSize);
  if (!std::equal(kStampMark.begin(), kStampMark.end(), stamp.begin())) return std::nullopt;
  return core::Instant::from_nanos(static_cast<int64_t>(core::load_u64(stamp.data() + kStampMark.size())));
}

std::vector<SyntheticPacket> SyntheticVideo::next_frame(core::Instant now, uint32_t ticks) {
  const bool key = std::exchange(key_frame_due_, false);
  core::Buffer frame(std::max<size_t>(config_.frame_bytes, 10 + kStampSize), 0x55);
  frame[0] = key ? 0x10 : 0x11;
  if (key) {
    const uint8_t start[] = {0x9d,
                             0x01,
                             0x2a,
                             static_cast<uint8_t>(config_.width),
                             static_cast<uint8_t>(config_.width >> 8),
                             static_cast<uint8_t>(config_.height),
                             static_cast<uint8_t>(config_.height >> 8)};
    std::copy(std::begin(start), std::end(start), frame.begin() + 3);
  }
  picture_ = static_cast<uint16_t>((picture_ + 1) & 0x7fff);
  timestamp_ += ticks;
  std::vector<SyntheticPacket> packets((frame.size() + config_.max_payload - 1) / config_.max_payload);
  size_t at = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    const size_t size = (frame.size() - at) / (packets.size() - i);
    codec::Vp8Descriptor descriptor;
    descriptor.is_partition_start = i == 0;
    descriptor.picture_id = picture_;
    descriptor.has_long_picture_id = true;
    std::array<uint8_t, kMaxDescriptor> prefix;
    const size_t prefix_size = codec::write_vp8_descriptor(prefix, descriptor);
    SyntheticPacket& packet = packets[i];
    packet.payload.assign(prefix.begin(), prefix.begin() + static_cast<std::ptrdiff_t>(prefix_size));
    const auto from = frame.begin() + static_cast<std::ptrdiff_t>(at);
    packet.payload.insert(packet.payload.end(), from, from + static_cast<std::ptrdiff_t>(size));
    at += size;
    write_stamp(packet.payload, now);
    packet.index = index_++;
    packet.header = {.payload_type = config_.payload_type,
                     .marker = i + 1 == packets.size(),
                     .sequence_number = static_cast<uint16_t>(packet.index),
                     .timestamp = timestamp_,
                     .ssrc = config_.ssrc};
  }
  return packets;
}

SyntheticPacket SyntheticAudio::next(core::Instant now) {
  SyntheticPacket packet;
  packet.payload.assign(std::max(config_.payload_bytes, kStampSize + 1), 0x33);
  packet.payload[0] = kOpusToc;
  write_stamp(packet.payload, now);
  packet.index = index_++;
  packet.header = {.payload_type = config_.payload_type,
                   .sequence_number = static_cast<uint16_t>(packet.index),
                   .timestamp = timestamp_,
                   .ssrc = config_.ssrc};
  timestamp_ += 960;
  return packet;
}

}  // namespace huitang::bot
