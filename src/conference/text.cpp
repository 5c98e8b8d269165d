#include "conference/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace huitang::conference {
namespace {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;  ///< 0: not well formed
};

// RFC 3629 section 4: shortest form only, no surrogates, nothing above U+10FFFF.
CodePoint next_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  uint32_t value = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  static constexpr std::array<uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }
bool turns_direction(uint32_t c) { return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }

struct Range {
  uint32_t first, last;
};
// Unicode: White_Space, Default_Ignorable_Code_Point, and the blank Braille pattern.
constexpr std::array<Range, 18> kInvisible{{
    {0x00, 0x20},
    {0x7F, 0xA0},
    {0xAD, 0xAD},
    {0x34F, 0x34F},
    {0x61C, 0x61C},
    {0x115F, 0x1160},
    {0x1680, 0x1680},
    {0x17B4, 0x17B5},
    {0x180B, 0x180F},
    {0x2000, 0x200F},
    {0x2028, 0x202F},
    {0x205F, 0x206F},
    {0x2800, 0x2800},
    {0x3000, 0x3000},
    {0x3164, 0x3164},
    {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0},
}};
bool is_invisible(uint32_t c) {
  if (c >= 0xE0000 && c <= 0xE0FFF) return true;
  return std::ranges::any_of(kInvisible,
                             [&](const Range& range) { return c >= range.first && c <= range.last; });
}

constexpr std::string_view kIdeographicSpace = "\xE3\x80\x80";

size_t leading_space(std::string_view text) {
  if (text.starts_with(kIdeographicSpace)) return kIdeographicSpace.size();
  return !text.empty() && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) ? 1 : 0;
}
size_t trailing_space(std::string_view text) {
  if (text.ends_with(kIdeographicSpace)) return kIdeographicSpace.size();
  return !text.empty() && leading_space(text.substr(text.size() - 1)) == 1 ? 1 : 0;
}

}  // namespace

std::optional<size_t> count_chars(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    const CodePoint c = next_code_point(text);
    if (c.length == 0) return std::nullopt;
    text.remove_prefix(c.length);
    ++count;
  }
  return count;
}

bool is_printable(std::string_view text, bool multiline) {
  while (!text.empty()) {
    const CodePoint c = next_code_point(text);
    const bool is_layout = c.value == '\n' || c.value == '\t';
    if (c.length == 0 || turns_direction(c.value)) return false;
    if (is_control(c.value) && !(multiline && is_layout)) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

bool is_visible(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = next_code_point(text);
    if (c.length == 0) return false;
    if (!is_invisible(c.value)) return true;
    text.remove_prefix(c.length);
  }
  return false;
}

std::string trimmed(std::string_view text) {
  while (const size_t n = leading_space(text)) text.remove_prefix(n);
  while (const size_t n = trailing_space(text)) text.remove_suffix(n);
  return std::string(text);
}

}  // namespace huitang::conference
