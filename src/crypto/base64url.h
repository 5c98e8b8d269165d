// Base64 with the URL-safe alphabet and without padding (RFC 4648 section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace huitang::crypto {

std::string to_base64url(core::Bytes bytes);
/// Strict: absent on padding, white space, a foreign character, an impossible length or bits set past the
/// last byte, so that every byte string has exactly one accepted text.
std::optional<core::Buffer> from_base64url(std::string_view text);

}  // namespace huitang::crypto
