#include "media/vp8_rtp.h"

#include <algorithm>
#include <cstring>

namespace huitang::media {

namespace {
constexpr size_t kMaxDescriptor = 6;
}

Vp8Packetizer::Vp8Packetizer(core::Bytes frame, const codec::Vp8Descriptor& descriptor, size_t max_payload)
    : rest_(frame), descriptor_(descriptor) {
  const size_t room = max_payload > kMaxDescriptor ? max_payload - kMaxDescriptor : 1;
  packets_ = (frame.size() + room - 1) / room;
  descriptor_.partition = 0;
}

size_t Vp8Packetizer::next(core::MutableBytes out) {
  if (remaining() == 0) return 0;
  descriptor_.is_partition_start = made_ == 0;
  const size_t part =
      rest_.size() / remaining();  // what is left over goes to the last packets, one byte each
  const size_t header = codec::write_vp8_descriptor(out, descriptor_);
  if (header == 0 || header + part > out.size()) return 0;
  std::memcpy(out.data() + header, rest_.data(), part);
  rest_ = rest_.subspan(part);
  ++made_;
  return header + part;
}

void Vp8Assembler::handle_packet(const Packet& packet) {
  const int64_t n = unwrapper_.unwrap(packet.sequence_number);
  if (highest_ >= 0 && n <= highest_ - static_cast<int64_t>(kWindow)) return;
  if (next_ && n < *next_) return;
  Slot& s = slot(n);
  if (s.number == n) return;
  s = Slot{.number = n, .timestamp = packet.timestamp, .csrc = packet.csrc, .marker = packet.marker};
  s.is_filler = packet.payload.empty();
  if (!s.is_filler) {
    const auto parsed = codec::parse_vp8(packet.payload);
    if (!parsed) {
      ++counters_.broken;
      s.number = -1;
      return;
    }
    s.is_frame_start = parsed->descriptor.is_frame_start();
    s.is_key_start = parsed->is_key_frame;
    const auto data = packet.payload.subspan(parsed->descriptor.size);
    s.data.assign(data.begin(), data.end());
  }
  highest_ = std::max(highest_, n);
  oldest_ = std::max(oldest_, highest_ - static_cast<int64_t>(kWindow) + 1);
  if (next_ && *next_ < oldest_) {
    ++counters_.resets;
    next_.reset();
  }
}

std::optional<int64_t> Vp8Assembler::find_end(int64_t first) {
  const Slot* start = find(first);
  if (start == nullptr || !start->is_frame_start) return std::nullopt;
  for (int64_t n = first; n <= highest_; ++n) {
    const Slot* s = find(n);
    if (s == nullptr || s->timestamp != start->timestamp) return std::nullopt;
    if (s->marker) return n + 1;
  }
  return std::nullopt;
}

std::optional<int64_t> Vp8Assembler::find_key_frame() {
  const int64_t from = std::max(oldest_, next_.value_or(0));
  for (int64_t n = highest_; n >= from; --n) {
    const Slot* s = find(n);
    if (s != nullptr && s->is_key_start && find_end(n)) return n;
  }
  return std::nullopt;
}

std::optional<Vp8Frame> Vp8Assembler::poll_frame() {
  while (next_) {
    const Slot* s = find(*next_);
    if (s == nullptr || !s->is_filler) break;
    ++*next_;
  }
  std::optional<int64_t> first = next_;
  std::optional<int64_t> end = first ? find_end(*first) : std::nullopt;
  if (!end) {  // stuck: a whole key frame further on makes what is missing needless
    first = find_key_frame();
    if (!first) return std::nullopt;
    end = find_end(*first);
  }
  Vp8Frame frame = take_frame(*first, *end);
  next_ = *end;
  ++counters_.frames;
  counters_.key_frames += frame.is_key_frame;
  return frame;
}

Vp8Frame Vp8Assembler::take_frame(int64_t first, int64_t end) {
  const Slot& start = slot(first);
  Vp8Frame frame{.timestamp = start.timestamp,
                 .csrc = start.csrc,
                 .first_number = static_cast<uint16_t>(first),
                 .is_key_frame = start.is_key_start};
  for (int64_t n = first; n < end; ++n) {
    Slot& s = slot(n);
    frame.data.insert(frame.data.end(), s.data.begin(), s.data.end());
    s.number = -1;
  }
  return frame;
}

}  // namespace huitang::media
