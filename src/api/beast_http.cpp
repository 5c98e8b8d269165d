#include "api/beast_http.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <iterator>

#include "api/https_server.h"
#include "api/security_headers.h"

namespace huitang::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::string_view kText = "text/plain; charset=utf-8";

std::string text_of(const http::fields& fields, http::field name) {
  const auto at = fields.find(name);
  return at == fields.end() ? std::string() : std::string(at->value());
}

HttpMethod to_method(http::verb verb) {
  if (verb == http::verb::get) return HttpMethod::Get;
  if (verb == http::verb::head) return HttpMethod::Head;
  if (verb == http::verb::post) return HttpMethod::Post;
  return HttpMethod::Other;
}

/// "box.example:8443", "[2001:db8::1]:8443" without the port and brackets.
std::string name_in(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

bool is_own_host(std::string_view host, const X509* certificate) {
  const std::string name = name_in(host);
  if (name == "localhost" || core::parse_ip(name)) return true;  // no name, so nobody else can have it
  return X509_check_host(const_cast<X509*>(certificate), name.data(), name.size(), 0, nullptr) == 1;
}

}  // namespace

HttpRequest to_request(BeastRequest&& message, const core::IpAddress& from) {
  HttpRequest request;
  const std::string_view target(message.target().data(), message.target().size());
  const size_t mark = target.find('?');
  request.method = to_method(message.method());
  request.path = std::string(target.substr(0, mark));
  if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
  request.from = from;
  request.host = text_of(message, http::field::host);
  request.origin = text_of(message, http::field::origin);
  request.authorization = text_of(message, http::field::authorization);
  request.cookie = text_of(message, http::field::cookie);
  request.accept_encoding = text_of(message, http::field::accept_encoding);
  request.accept_language = text_of(message, http::field::accept_language);
  request.content_type = text_of(message, http::field::content_type);
  request.if_none_match = text_of(message, http::field::if_none_match);
  request.body = std::move(message.body());
  return request;
}

std::optional<HttpReply> reply_to_broken(boost::system::error_code error) {
  if (error == http::error::body_limit) return text_reply(413, kText, "the body is too large\n");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return text_reply(431, kText, "the header is too large\n");
  const bool is_of_http = error.category() == make_error_code(http::error::bad_method).category();
  const bool is_gone = error == http::error::end_of_stream || error == http::error::partial_message;
  if (is_of_http && !is_gone) return text_reply(400, kText, "not understood\n");
  return std::nullopt;
}

std::optional<HttpReply> refuse_request(const BeastRequest& message, const X509* certificate) {
  if (static_cast<size_t>(std::distance(message.begin(), message.end())) > kMaxHeaderFields)
    return text_reply(431, kText, "too many header fields\n");
  if (message.count(http::field::host) != 1 || !is_plain_host(text_of(message, http::field::host)))
    return text_reply(400, kText, "one Host is needed\n");
  if (!is_own_host(text_of(message, http::field::host), certificate))
    return text_reply(421, kText, "this server does not go by that name\n");
  return std::nullopt;
}

namespace {

/// "/ws", or "/ws/" and a number: Firefox holds back what failed by address and path, so pages count on.
bool is_socket_path(std::string_view target) {
  constexpr std::string_view kPath = "/ws";
  constexpr size_t kLongest = kPath.size() + 1 + 10;
  if (target == kPath) return true;
  if (!target.starts_with("/ws/") || target.size() == kPath.size() + 1 || target.size() > kLongest)
    return false;
  return std::ranges::all_of(target.substr(kPath.size() + 1), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<HttpReply> refuse_upgrade(const BeastRequest& message) {
  if (!is_socket_path(message.target())) return text_reply(404, kText, "there is no socket here\n");
  const std::string origin = text_of(message, http::field::origin);
  // Programs send no Origin; a browser always does, and must come from our own pages.
  if (!origin.empty() && origin != "https://" + text_of(message, http::field::host))
    return text_reply(403, kText, "the page that asked is not from here\n");
  http::token_list offered(message[http::field::sec_websocket_protocol]);
  if (!offered.exists(kSubprotocol))
    return text_reply(400, kText, "this socket speaks the subprotocol huitang.v1 only\n");
  return std::nullopt;
}

}  // namespace huitang::api
