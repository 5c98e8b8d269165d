// The error kinds shared by all folders (STYLE.md "Errors").
#pragma once

#include <string>
#include <system_error>

namespace huitang::core {

/// Why bytes from a peer were not understood. Counted and dropped, never fatal.
enum class ParseError {
  Truncated,    ///< the bytes end before the structure does
  Malformed,    ///< a length, value or order the RFC forbids
  Unsupported,  ///< well formed, but a version or type we do not take
  TooLarge,     ///< beyond a cap of ours
  BadChecksum,  ///< fingerprint or checksum wrong
};

constexpr const char* to_string(ParseError e) {
  switch (e) {
    case ParseError::Truncated: return "truncated";
    case ParseError::Malformed: return "malformed";
    case ParseError::Unsupported: return "unsupported";
    case ParseError::TooLarge: return "too large";
    case ParseError::BadChecksum: return "bad checksum";
  }
  return "?";
}

/// What the environment refused: the system's code and what was being done, outermost last ("bind UDP 0.0.0.0:5000").
struct Failure {
  std::error_code code;
  std::string context;
};

}  // namespace huitang::core
