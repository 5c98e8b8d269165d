// Why a session description was refused: which line, and in words fit for a developer's log.
#pragma once

#include <cstddef>
#include <string>

namespace huitang::sdp {

enum class SdpErrorCode {
  TooLarge,     ///< beyond a cap of limits.h
  Malformed,    ///< a line the grammar of RFC 8866 or of the attribute's RFC forbids
  Unsupported,  ///< well formed, but not something we can answer (no BUNDLE, no DTLS, full-duplex plan ...)
  Mismatch,     ///< does not fit what it answers or the plan of the caller
};

constexpr const char* to_string(SdpErrorCode code) {
  switch (code) {
    case SdpErrorCode::TooLarge: return "too large";
    case SdpErrorCode::Malformed: return "malformed";
    case SdpErrorCode::Unsupported: return "unsupported";
    case SdpErrorCode::Mismatch: return "mismatch";
  }
  return "?";
}

struct SdpError {
  SdpErrorCode code = SdpErrorCode::Malformed;
  size_t line = 0;     ///< from 1; 0 when no single line is to blame
  std::string reason;  ///< English, at most about 200 bytes, never holds credentials
};

/// "line 12: malformed: a=rtpmap without a clock rate"
std::string to_string(const SdpError& error);

}  // namespace huitang::sdp
