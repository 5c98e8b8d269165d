// Redundant audio (RFC 2198) as browsers use it for Opus: a packet carries its own frame and copies of
// earlier ones.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |1|   block PT  |  timestamp offset, 14 bits|   block length    |  one for each older block, oldest first
// |0|   block PT  |  older data …  |  newest data …               |
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::codec {

inline constexpr size_t kMaxRedBlocks = 9;  ///< the newest and up to eight older ones
inline constexpr uint32_t kMaxRedOffset = 0x3fff;
inline constexpr size_t kMaxRedLength = 0x3ff;

struct RedBlock {
  uint8_t payload_type = 0;
  uint16_t timestamp_offset = 0;  ///< how much older than the packet; 0 for the newest
  core::Bytes data;
};

struct RedView {
  std::array<RedBlock, kMaxRedBlocks> blocks;
  uint8_t count = 0;
  const RedBlock& newest() const { return blocks[count - 1]; }
  /// Oldest first; empty blocks (sent for frames that do not fit) included.
  std::span<const RedBlock> older() const { return {blocks.data(), static_cast<size_t>(count - 1)}; }
};

core::Result<RedView, core::ParseError> parse_red(core::Bytes payload);

/// Size written; 0 when it does not fit, is empty, or a block is beyond the fields' range.
size_t write_red(core::MutableBytes out, std::span<const RedBlock> blocks);

/// Makes RED of a plain stream: remembers the last frames and puts up to `depth` of them before each new one.
/// Frames that are too old for the offset, too long, or would exceed `out` are left out, oldest first. DTX
/// frames are not repeated.
class RedMaker {
 public:
  static constexpr size_t kMaxDepth = 2;
  RedMaker(uint8_t block_payload_type, uint8_t depth);
  void set_depth(uint8_t depth);  ///< 0..kMaxDepth
  /// The RED payload for this frame, and remembers the frame. 0 when not even the frame itself fits.
  size_t make(uint32_t timestamp, core::Bytes frame, core::MutableBytes out);
  /// The stream changed to another source: its frames must not be repeated under the new one.
  void reset() { count_ = 0; }

 private:
  struct Old {
    uint32_t timestamp = 0;
    uint16_t size = 0;
    std::array<uint8_t, kMaxRedLength> data;
  };
  uint8_t payload_type_;
  uint8_t depth_;
  uint8_t count_ = 0;  ///< remembered, newest at newest_
  uint8_t newest_ = 0;
  std::array<Old, kMaxDepth> old_;
};

}  // namespace huitang::codec
