#include "api/page_table.h"

#include <algorithm>

namespace huitang::api {

const Page* PageTable::find(std::string_view path) const {
  const auto at = std::ranges::lower_bound(pages_, path, {}, &Page::path);
  return at != pages_.end() && at->path == path ? &*at : nullptr;
}

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Whether the list offers `coding` (RFC 9110 section 12.5.3); a weight of zero refuses it.
bool is_accepted(std::string_view list, std::string_view coding) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    const size_t semicolon = item.find(';');
    const std::string_view name = trim(item.substr(0, semicolon));
    if (name != coding) continue;
    if (semicolon == std::string_view::npos) return true;
    const std::string_view weight = trim(item.substr(semicolon + 1));
    return weight.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

}  // namespace

Encoded choose_encoding(const Page& page, std::string_view accept_encoding) {
  if (!page.brotli.empty() && is_accepted(accept_encoding, "br")) return {page.brotli, "br"};
  if (!page.gzip.empty() && is_accepted(accept_encoding, "gzip")) return {page.gzip, "gzip"};
  return {page.plain, ""};
}

}  // namespace huitang::api
