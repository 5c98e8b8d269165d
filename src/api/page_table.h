// The pages inside the binary: one sorted table from path to bytes, made at build time from web/dist. A path
// is looked up as a whole, so nothing outside the table can be reached whatever the path says.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/bytes.h"

namespace huitang::api {

struct Page {
  std::string_view path;  ///< "/assets/index-3f9a.js"
  std::string_view content_type;
  std::string_view etag;   ///< with its quotes
  bool immutable = false;  ///< the name carries a hash of the content
  core::Bytes plain;
  core::Bytes gzip;    ///< empty when it would not be smaller
  core::Bytes brotli;  ///< likewise
};

class PageTable {
 public:
  /// `pages` in order of path; they outlive the table.
  explicit constexpr PageTable(std::span<const Page> pages) : pages_(pages) {}
  /// The pages that this binary was built with; empty when it was built without.
  static PageTable embedded();

  const Page* find(std::string_view path) const;
  bool is_empty() const { return pages_.empty(); }
  size_t size() const { return pages_.size(); }

 private:
  std::span<const Page> pages_;
};

/// What fits a client that sent this Accept-Encoding.
struct Encoded {
  core::Bytes bytes;
  std::string_view encoding;  ///< "br", "gzip" or empty
};
Encoded choose_encoding(const Page& page, std::string_view accept_encoding);

}  // namespace huitang::api
