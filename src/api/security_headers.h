// Header fields that every reply carries: no third party, no framing, no sniffing, scripts from here only. No
// HSTS: with the private CA it would lock people out who have not trusted it yet.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace huitang::api {

/// `host` is the request's Host field; it may be anything.
std::vector<std::pair<std::string_view, std::string>> security_headers(std::string_view host);

/// Whether the text is a host name or address with an optional port and nothing else.
bool is_plain_host(std::string_view host);

}  // namespace huitang::api
