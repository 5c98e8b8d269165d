// Caps on what a description may hold. All input comes from outside; a parse stops at the first cap it meets.
#pragma once

#include <cstddef>

namespace huitang::sdp {

inline constexpr size_t kMaxBytes = 256 * 1024;  ///< DESIGN.md section 6: 16-28 unpruned slots are 50-160 kB
inline constexpr size_t kMaxLineBytes = 4096;    ///< the longest line browsers write is under 300 bytes
inline constexpr size_t kMaxLines = 16 * 1024;   ///< an unpruned line section of Chromium has about 90
inline constexpr size_t kMaxMediaSections = 64;
inline constexpr size_t kMaxAttributesPerSection = 1024;
inline constexpr size_t kMaxFormats = 128;    ///< payload types are 7 bits
inline constexpr size_t kMaxRids = 8;         ///< of one section; we number layers up to 4
inline constexpr size_t kMaxCandidates = 64;  ///< of one section
inline constexpr size_t kMaxIdBytes = 16;     ///< mid and rid, so that they fit a one-byte header extension

}  // namespace huitang::sdp
