// Between Beast's messages and our own values: what a request says, and what is refused before a route sees it.
#pragma once

#include <openssl/x509.h>

#include <boost/beast/http.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"

namespace huitang::api {

using BeastRequest = boost::beast::http::request<boost::beast::http::string_body>;

inline constexpr uint32_t kMaxHeader = 16 * 1024;
inline constexpr size_t kMaxHeaderFields = 100;

HttpRequest to_request(BeastRequest&& message, const core::IpAddress& from);

/// The answer to what could not be read as a request; absent when the connection is simply gone.
std::optional<HttpReply> reply_to_broken(boost::system::error_code error);
/// Absent: a route may see it. A Host that is none, several, or a name that `certificate` does not cover is not
/// ours: a page elsewhere may have let its own name point to this machine.
std::optional<HttpReply> refuse_request(const BeastRequest& message, const X509* certificate);
/// Absent: the upgrade to a WebSocket may go on.
std::optional<HttpReply> refuse_upgrade(const BeastRequest& message);

}  // namespace huitang::api
