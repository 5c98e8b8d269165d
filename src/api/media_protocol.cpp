#include "api/media_protocol.h"

#include "huitang/v1/media.pb.h"

namespace huitang::api {

std::string write_media_frame(const v1::MediaMessage& message) {
  const std::string body = message.SerializeAsString();
  uint8_t length[4];
  core::store_u32(length, static_cast<uint32_t>(body.size()));
  return std::string(core::as_text(length)).append(body);
}

core::Result<bool, core::ParseError> MediaFrameReader::next(v1::MediaMessage& message) {
  if (buffer_.size() - at_ < 4) return false;
  const size_t length = core::load_u32(buffer_.data() + at_);
  if (length > kMaxMediaFrame) return core::err(core::ParseError::TooLarge);
  if (buffer_.size() - at_ - 4 < length) return false;
  if (!message.ParseFromArray(buffer_.data() + at_ + 4, static_cast<int>(length)))
    return core::err(core::ParseError::Malformed);
  at_ += 4 + length;
  if (at_ == buffer_.size() || at_ > 64 * 1024) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(at_));
    at_ = 0;
  }
  return true;
}

}  // namespace huitang::api
