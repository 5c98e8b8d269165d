#include "rtp/transport_feedback.h"

#include <algorithm>
#include <array>
#include <limits>

namespace huitang::rtp {

using core::err;
using core::ParseError;

namespace {

// Status symbols; the value is also the size of the delta that follows.
constexpr uint8_t kNotReceived = 0;
constexpr uint8_t kSmallDelta = 1;
constexpr uint8_t kLargeDelta = 2;
constexpr uint8_t kReserved = 3;

constexpr uint16_t kMaxRun = 0x1fff;
constexpr size_t kOneBitSymbols = 14;
constexpr size_t kTwoBitSymbols = 7;
constexpr size_t kPacketHeader = 20;     // up to and with the feedback count
constexpr size_t kMaxPacketSize = 2048;  // bounds the scratch memory of a write

// Chunks:
// |0| S S |      run length, 13 bits      |
// |1|0|      14 symbols of one bit        |
// |1|1|      7 symbols of two bits        |
constexpr bool is_vector(uint16_t chunk) { return (chunk & 0x8000) != 0; }
constexpr bool is_two_bit(uint16_t chunk) { return (chunk & 0x4000) != 0; }

constexpr uint16_t symbols_in(uint16_t chunk) {
  if (!is_vector(chunk)) return chunk & kMaxRun;
  return is_two_bit(chunk) ? kTwoBitSymbols : kOneBitSymbols;
}

constexpr uint8_t symbol_at(uint16_t chunk, size_t i) {
  if (!is_vector(chunk)) return static_cast<uint8_t>(chunk >> 13 & 3);
  if (is_two_bit(chunk)) return static_cast<uint8_t>(chunk >> (12 - 2 * i) & 3);
  return static_cast<uint8_t>(chunk >> (13 - i) & 1);
}

int64_t to_ticks(core::Instant at) { return at.to_nanos() / kFeedbackTick.to_nanos(); }

constexpr int64_t kTicksPerReference = kFeedbackReferenceUnit / kFeedbackTick;

}  // namespace

core::Result<TransportFeedbackView, ParseError> parse_transport_feedback(uint32_t sender_ssrc,
                                                                         uint32_t media_ssrc,
                                                                         core::Bytes payload) {
  core::ByteReader r(payload);
  TransportFeedbackView v{.sender_ssrc = sender_ssrc, .media_ssrc = media_ssrc};
  v.base_sequence = r.u16();
  v.status_count = r.u16();
  v.reference_time = static_cast<int32_t>(r.u24() << 8) >> 8;
  v.feedback_count = r.u8();
  v.body = r.rest();
  if (r.failed()) return err(ParseError::Truncated);
  if (v.status_count == 0) return err(ParseError::Malformed);

  size_t deltas = 0;
  for (uint32_t left = v.status_count; left > 0;) {
    const uint16_t chunk = r.u16();
    if (r.failed()) return err(ParseError::Truncated);
    const uint32_t n = std::min<uint32_t>(symbols_in(chunk), left);
    left -= n;
    if (!is_vector(chunk)) {
      if (symbol_at(chunk, 0) == kReserved) return err(ParseError::Malformed);
      deltas += size_t{symbol_at(chunk, 0)} * n;
      continue;
    }
    for (size_t i = 0; i < n; ++i) {
      if (symbol_at(chunk, i) == kReserved) return err(ParseError::Malformed);
      deltas += symbol_at(chunk, i);
    }
  }
  if (deltas > r.remaining()) return err(ParseError::Truncated);
  return v;
}

TransportFeedbackView::Walker::Walker(const TransportFeedbackView& view)
    : body_(view.body),
      sequence_(view.base_sequence),
      left_(view.status_count),
      ticks_(view.reference_time * kTicksPerReference) {
  for (uint32_t covered = 0; covered < left_; delta_at_ += 2) {
    covered += symbols_in(core::load_u16(body_.data() + delta_at_));
  }
}

uint8_t TransportFeedbackView::Walker::next_symbol() {
  while (chunk_used_ == chunk_size_) {
    chunk_ = core::load_u16(body_.data() + chunk_at_);
    chunk_at_ += 2;
    chunk_size_ = symbols_in(chunk_);
    chunk_used_ = 0;
  }
  return symbol_at(chunk_, chunk_used_++);
}

std::optional<TransportFeedbackView::Status> TransportFeedbackView::Walker::next() {
  if (left_ == 0) return std::nullopt;
  --left_;
  Status status{.sequence = sequence_++};
  const uint8_t symbol = next_symbol();
  if (symbol == kNotReceived) return status;
  if (symbol == kSmallDelta) {
    ticks_ += body_[delta_at_];
  } else {
    ticks_ += static_cast<int16_t>(core::load_u16(body_.data() + delta_at_));
  }
  delta_at_ += symbol;
  status.arrival = kFeedbackTick * ticks_;
  return status;
}

namespace {

/// Goes over the statuses from the base on; a copy looks ahead.
class StatusCursor {
 public:
  StatusCursor(int64_t base, int64_t reference_ticks, std::span<const PacketArrival> arrivals)
      : arrivals_(arrivals), number_(base), ticks_(reference_ticks) {}

  bool done() const { return index_ == arrivals_.size(); }
  int64_t number() const { return number_; }
  size_t index() const { return index_; }
  int64_t missing_ahead() const { return arrivals_[index_].number - number_; }
  int64_t delta() const { return to_ticks(arrivals_[index_].at) - ticks_; }
  uint8_t symbol() const {
    if (missing_ahead() > 0) return kNotReceived;
    return delta() >= 0 && delta() <= 0xff ? kSmallDelta : kLargeDelta;
  }
  void advance() {
    if (missing_ahead() == 0) {
      ticks_ += delta();
      ++index_;
    }
    ++number_;
  }
  void skip_missing(int64_t n) { number_ += n; }

  size_t run_length() const {
    const uint8_t first = symbol();
    if (first == kNotReceived) return static_cast<size_t>(std::min<int64_t>(missing_ahead(), kMaxRun));
    size_t n = 0;
    for (StatusCursor c = *this; !c.done() && c.symbol() == first && n < kMaxRun; c.advance()) ++n;
    return n;
  }

 private:
  std::span<const PacketArrival> arrivals_;
  size_t index_ = 0;
  int64_t number_;
  int64_t ticks_;
};

/// How many arrivals one packet can speak of as far as status count and delta range go.
size_t count_encodable(int64_t base, int64_t reference_ticks, std::span<const PacketArrival> arrivals) {
  constexpr int64_t lowest = std::numeric_limits<int16_t>::min();
  constexpr int64_t highest = std::numeric_limits<int16_t>::max();
  int64_t ticks = reference_ticks;
  size_t n = 0;
  for (const auto& a : arrivals) {
    const int64_t delta = to_ticks(a.at) - ticks;
    if (a.number - base >= static_cast<int64_t>(kMaxFeedbackStatuses) || delta < lowest || delta > highest)
      break;
    ticks += delta;
    ++n;
  }
  return n;
}

struct Chunk {
  uint16_t bits = 0;
  size_t symbols = 0;
};

/// The chunk that covers most from here.
Chunk choose_chunk(const StatusCursor& from) {
  std::array<uint8_t, kOneBitSymbols> next{};
  size_t n = 0;
  bool has_large = false;
  for (StatusCursor c = from; n < next.size() && !c.done(); c.advance()) {
    next[n] = c.symbol();
    has_large = has_large || next[n] == kLargeDelta;
    ++n;
  }
  const size_t run = from.run_length();
  if (run >= n || (has_large && run >= kTwoBitSymbols)) {
    return {static_cast<uint16_t>(next[0] << 13 | run), run};
  }
  Chunk chunk{.bits = static_cast<uint16_t>(has_large ? 0xc000 : 0x8000)};
  chunk.symbols = std::min(n, has_large ? kTwoBitSymbols : kOneBitSymbols);
  for (size_t i = 0; i < chunk.symbols; ++i) {
    const size_t shift = has_large ? 12 - 2 * i : 13 - i;
    chunk.bits = static_cast<uint16_t>(chunk.bits | next[i] << shift);
  }
  return chunk;
}

/// Shortens a chunk to its first `n` symbols.
Chunk shorten(Chunk chunk, size_t n) {
  if (!is_vector(chunk.bits)) return {static_cast<uint16_t>((chunk.bits & 0x6000) | n), n};
  const size_t width = is_two_bit(chunk.bits) ? 2 : 1;
  const size_t unused = (is_two_bit(chunk.bits) ? kTwoBitSymbols : kOneBitSymbols) - n;
  const auto mask = static_cast<uint16_t>(0xffff << (unused * width));
  return {static_cast<uint16_t>((chunk.bits & mask) | (chunk.bits & 0xc000)), n};
}

/// Symbols of `chunk` whose deltas fit `room` bytes, ending with a received one when it must be cut.
size_t fitting_symbols(Chunk chunk, size_t room) {
  size_t used = 0;
  size_t keep = 0;
  for (size_t i = 0; i < chunk.symbols; ++i) {
    const uint8_t symbol = symbol_at(chunk.bits, i);
    if (used + symbol > room) return keep;
    used += symbol;
    if (symbol != kNotReceived) keep = i + 1;
  }
  return chunk.symbols;
}

void write_deltas(core::ByteWriter& deltas, StatusCursor& cursor, Chunk chunk) {
  if (!is_vector(chunk.bits) && symbol_at(chunk.bits, 0) == kNotReceived) {
    cursor.skip_missing(static_cast<int64_t>(chunk.symbols));
    return;
  }
  for (size_t i = 0; i < chunk.symbols; ++i, cursor.advance()) {
    const uint8_t symbol = cursor.symbol();
    if (symbol == kSmallDelta) deltas.u8(static_cast<uint8_t>(cursor.delta()));
    if (symbol == kLargeDelta) deltas.u16(static_cast<uint16_t>(cursor.delta()));
  }
}

}  // namespace

TransportFeedbackWritten write_transport_feedback(core::MutableBytes out,
                                                  const TransportFeedbackHeader& header,
                                                  std::span<const PacketArrival> arrivals) {
  const size_t cap = std::min(out.size() & ~size_t{3}, kMaxPacketSize);
  if (arrivals.empty() || arrivals.front().number < header.base || cap < kPacketHeader + 4) return {};
  const int64_t first = to_ticks(arrivals.front().at);
  const int64_t reference = first / kTicksPerReference;
  const int64_t reference_ticks = reference * kTicksPerReference;
  arrivals = arrivals.first(count_encodable(header.base, reference_ticks, arrivals));

  core::ByteWriter w(out.first(cap));
  w.u8(0x80 | 15);
  w.u8(205);
  w.u16(0);  // length, below
  w.u32(header.sender_ssrc);
  w.u32(header.media_ssrc);
  w.u16(static_cast<uint16_t>(header.base));
  w.u16(0);  // status count, below
  w.u24(static_cast<uint32_t>(reference) & 0xffffff);
  w.u8(header.feedback_count);

  std::array<uint8_t, kMaxPacketSize> scratch;
  core::ByteWriter deltas(scratch);
  StatusCursor cursor(header.base, reference_ticks, arrivals);
  while (!cursor.done()) {
    const size_t used = w.size() + deltas.size();
    if (used + 2 > cap) break;
    Chunk chunk = choose_chunk(cursor);
    const size_t n = fitting_symbols(chunk, cap - used - 2);
    const bool cut = n < chunk.symbols;
    if (cut) chunk = shorten(chunk, n);
    if (chunk.symbols == 0) break;
    w.u16(chunk.bits);
    write_deltas(deltas, cursor, chunk);
    if (cut) break;
  }
  if (cursor.index() == 0) return {};

  w.bytes(deltas.written());
  const size_t padding = (4 - w.size() % 4) % 4;
  if (padding != 0) {
    w.zeros(padding - 1);
    w.u8(static_cast<uint8_t>(padding));
    out[0] |= 0x20;
  }
  core::store_u16(out.data() + 2, static_cast<uint16_t>(w.size() / 4 - 1));
  core::store_u16(out.data() + 14, static_cast<uint16_t>(cursor.number() - header.base));
  return {.bytes = w.size(), .arrivals = cursor.index(), .next_base = cursor.number()};
}

}  // namespace huitang::rtp
