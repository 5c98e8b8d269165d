// Frames of the media control protocol (media.proto): a 4-byte big-endian length and one MediaMessage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::v1 {
class MediaMessage;
}

namespace huitang::api {

inline constexpr size_t kMaxMediaFrame = 4 * 1024 * 1024;
inline constexpr uint32_t kMediaVersionMin = 1;
inline constexpr uint32_t kMediaVersionMax = 2;

std::string write_media_frame(const v1::MediaMessage& message);

/// Takes bytes as they come and gives whole frames.
class MediaFrameReader {
 public:
  void append(core::Bytes bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  /// True: `message` holds the next one. False: not there yet. TooLarge or Malformed: the stream is of no
  /// more use.
  core::Result<bool, core::ParseError> next(v1::MediaMessage& message);

 private:
  core::Buffer buffer_;
  size_t at_ = 0;
};

}  // namespace huitang::api
