// The few pages that serve writes itself, in plain words and without scripts where that is possible: trusting
// the certificate, the admin link, pages that were not built, no such page. Chinese first, English beside it.
#pragma once

#include <string>
#include <string_view>

namespace huitang::api {

std::string trust_page(std::string_view fingerprint);
/// With the office's own certificate there is nothing to trust by hand.
std::string trust_page_of_own_certificate();
std::string admin_link_page();
std::string not_built_page();
std::string not_found_page();

extern const std::string_view kPlainStyle;       ///< /plain.css
extern const std::string_view kAdminLinkScript;  ///< /admin-link.js

}  // namespace huitang::api
