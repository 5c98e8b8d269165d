// The table of attributes with a typed place: one row and one reader each (attributes.cpp).
#pragma once

#include <string_view>

#include "sdp/error.h"
#include "sdp/session_description.h"

namespace huitang::sdp {

/// What a reader found wrong; no text = nothing.
struct Complaint {
  SdpErrorCode code = SdpErrorCode::Malformed;
  const char* text = nullptr;
  explicit operator bool() const { return text != nullptr; }
};
inline Complaint malformed(const char* text) { return {SdpErrorCode::Malformed, text}; }
inline Complaint too_large(const char* text) { return {SdpErrorCode::TooLarge, text}; }

/// Reads one attribute into its place; those unknown at that level go to `other`. `value` is empty for a
/// flag.
Complaint read_session_attribute(std::string_view name, std::optional<std::string_view> value,
                                 SessionDescription& session);
Complaint read_media_attribute(std::string_view name, std::optional<std::string_view> value,
                               MediaDescription& media);

}  // namespace huitang::sdp
