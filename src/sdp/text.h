// Small pieces of text handling that the readers and writers of this folder share.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace huitang::sdp {

/// Words of a line, parted by one or more spaces.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) { skip_spaces(); }
  /// Empty once nothing is left.
  std::string_view next() {
    const size_t end = rest_.find(' ');
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(word.size());
    skip_spaces();
    return word;
  }
  bool is_done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  void skip_spaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

/// The whole text as an unsigned decimal number that fits T.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Payload types are 7 bits.
inline std::optional<uint8_t> parse_payload_type(std::string_view text) {
  const auto value = parse_number<uint8_t>(text);
  return value && *value < 128 ? value : std::nullopt;
}

/// Before and after the first `mark`; no second part without one.
inline std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text, char mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// RFC 8866 token.
inline bool is_token(std::string_view text) {
  for (const char c : text)
    if (c <= ' ' || c >= 0x7f || std::string_view("\"(),/:;<=>?@[\\]").find(c) != std::string_view::npos)
      return false;
  return !text.empty();
}

/// RFC 8839 ice-char: ALPHA / DIGIT / "+" / "/".
inline bool is_ice_text(std::string_view text) {
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
      return false;
  return !text.empty();
}

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

inline bool is_same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

/// The value of `key` in "a=1;b=2" parameters (a=fmtp), spaces trimmed; absent without one.
inline std::optional<std::string_view> find_parameter(std::string_view parameters, std::string_view key) {
  while (!parameters.empty()) {
    const auto [item, rest] = cut(parameters, ';');
    std::string_view trimmed = item;
    while (!trimmed.empty() && trimmed.front() == ' ') trimmed.remove_prefix(1);
    while (!trimmed.empty() && trimmed.back() == ' ') trimmed.remove_suffix(1);
    const auto [name, value] = cut(trimmed, '=');
    if (value && is_same_name(name, key)) return value;
    parameters = rest.value_or(std::string_view());
  }
  return std::nullopt;
}

}  // namespace huitang::sdp
