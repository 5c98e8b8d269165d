// A request and its reply as plain values: what routes see of HTTP. Parsing and TLS live in https_server.cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/address.h"
#include "core/bytes.h"
#include "core/time.h"

namespace huitang::api {

enum class HttpMethod : uint8_t { Get, Head, Post, Other };

struct HttpRequest {
  HttpMethod method = HttpMethod::Other;
  std::string path;   ///< without the query; still percent-encoded, for our table has plain names only
  std::string query;  ///< after '?'
  core::IpAddress from;
  // Header fields that routes look at; empty when absent.
  std::string host, origin, authorization, cookie, accept_encoding, accept_language, content_type,
      if_none_match;
  std::string body;  ///< at most kMaxBody bytes
};
inline constexpr size_t kMaxBody = 64 * 1024;

struct HttpReply {
  unsigned status = 200;
  std::vector<std::pair<std::string_view, std::string>> fields;  ///< names are literals
  std::string body;
  core::Bytes embedded;  ///< sent instead of `body` when not empty; lives as long as the process

  HttpReply& with(std::string_view name, std::string value) {
    fields.emplace_back(name, std::move(value));
    return *this;
  }
};

HttpReply text_reply(unsigned status, std::string_view content_type, std::string body);

/// Takes the reply, once, now or later, on the thread that asked.
using ReplyFunction = std::function<void(HttpReply)>;

}  // namespace huitang::api
