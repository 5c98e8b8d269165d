#include "codec/red.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace huitang::codec {

using core::err;
using core::ParseError;

namespace {
constexpr uint8_t kFollows = 0x80;  // another block header comes after this one
constexpr size_t kOldHeader = 4;
constexpr size_t kNewestHeader = 1;
// Discontinuous transmission says silence in so few bytes; repeating it brings nothing.
constexpr size_t kDtxSize = 2;
}  // namespace

core::Result<RedView, ParseError> parse_red(core::Bytes payload) {
  core::ByteReader r(payload);
  RedView v;
  std::array<uint16_t, kMaxRedBlocks> lengths{};
  for (;;) {
    if (v.count == kMaxRedBlocks) return err(ParseError::TooLarge);
    const uint8_t first = r.u8();
    RedBlock& block = v.blocks[v.count];
    block.payload_type = first & 0x7f;
    if ((first & kFollows) == 0) break;
    const uint32_t rest = r.u24();
    block.timestamp_offset = static_cast<uint16_t>(rest >> 10);
    lengths[v.count++] = rest & kMaxRedLength;
  }
  for (size_t i = 0; i < v.count; ++i) v.blocks[i].data = r.take(lengths[i]);
  if (r.failed()) return err(ParseError::Truncated);
  v.blocks[v.count++].data = r.rest();
  return v;
}

size_t write_red(core::MutableBytes out, std::span<const RedBlock> blocks) {
  if (blocks.empty() || blocks.size() > kMaxRedBlocks) return 0;
  core::ByteWriter w(out);
  const auto older = blocks.first(blocks.size() - 1);
  for (const RedBlock& b : older) {
    if (b.timestamp_offset > kMaxRedOffset || b.data.size() > kMaxRedLength) return 0;
    w.u8(static_cast<uint8_t>(kFollows | b.payload_type));
    w.u24(static_cast<uint32_t>(b.timestamp_offset) << 10 | static_cast<uint32_t>(b.data.size()));
  }
  w.u8(blocks.back().payload_type & 0x7f);
  for (const RedBlock& b : blocks) w.bytes(b.data);
  return w.failed() ? 0 : w.size();
}

RedMaker::RedMaker(uint8_t block_payload_type, uint8_t depth) : payload_type_(block_payload_type), depth_(0) {
  set_depth(depth);
}

void RedMaker::set_depth(uint8_t depth) { depth_ = std::min<uint8_t>(depth, kMaxDepth); }

size_t RedMaker::make(uint32_t timestamp, core::Bytes frame, core::MutableBytes out) {
  std::array<RedBlock, kMaxDepth + 1> blocks;
  size_t first = kMaxDepth;  // filled from the newest towards the oldest
  blocks[first] = {.payload_type = payload_type_, .timestamp_offset = 0, .data = frame};
  size_t size = kNewestHeader + frame.size();
  for (uint8_t back = 0; back < std::min(depth_, count_); ++back) {
    const Old& old = old_[(newest_ + kMaxDepth - back) % kMaxDepth];
    const uint32_t offset = timestamp - old.timestamp;
    if (offset == 0 || offset > kMaxRedOffset || size + kOldHeader + old.size > out.size()) break;
    size += kOldHeader + old.size;
    blocks[--first] = {.payload_type = payload_type_,
                       .timestamp_offset = static_cast<uint16_t>(offset),
                       .data = core::Bytes(old.data).first(old.size)};
  }
  const size_t written = write_red(out, std::span(blocks).subspan(first));
  HUITANG_DCHECK(written == 0 || written == size);

  if (frame.size() > kDtxSize && frame.size() <= kMaxRedLength) {
    newest_ = static_cast<uint8_t>((newest_ + 1) % kMaxDepth);
    Old& old = old_[newest_];
    old.timestamp = timestamp;
    old.size = static_cast<uint16_t>(frame.size());
    std::memcpy(old.data.data(), frame.data(), frame.size());
    count_ = static_cast<uint8_t>(std::min<size_t>(count_ + 1U, kMaxDepth));
  }
  return written;
}

}  // namespace huitang::codec
