// Conference values <-> journal.proto <-> text for a database column.
//
// The column holds base64 of: CRC-32C of the rest (4 bytes, big-endian, RFC 3720 appendix B.4), then the
// protobuf message. Text, because every database stores it alike; the sum, because a flipped bit in a name
// would otherwise pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "conference/effects.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::store {

std::string write_snapshot(const conference::State&);
core::Result<conference::State, core::ParseError> parse_snapshot(std::string_view column);

std::string write_change(const conference::Change&);
core::Result<conference::Change, core::ParseError> parse_change(std::string_view column);

/// Any bytes as such a column, sum included.
std::string write_column(std::string_view bytes);
core::Result<std::string, core::ParseError> parse_column(std::string_view column);

}  // namespace huitang::store
