// What people may write: names and chat. Counts Unicode code points; refuses broken UTF-8 and characters that
// would let a name pass itself off as something else (controls, direction overrides).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace huitang::conference {

/// Code points of well-formed UTF-8 (RFC 3629); absent when it is not.
std::optional<size_t> count_chars(std::string_view text);
/// No controls (line feed and tab only where `multiline`), no direction overrides (U+202A–202E, U+2066–2069).
/// Expects well-formed UTF-8.
bool is_printable(std::string_view text, bool multiline);
/// Whether there is anything to see: not only spaces of any kind, joiners, marks of direction and fillers.
bool is_visible(std::string_view text);
/// Without white space (ASCII and U+3000, the ideographic space) at both ends.
std::string trimmed(std::string_view text);

}  // namespace huitang::conference
