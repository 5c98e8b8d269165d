#include "api/connect_api.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>

#include "api/wire.h"
#include "crypto/base64url.h"
#include "huitang/v1/api.pb.h"

namespace huitang::api {
namespace {

namespace json = google::protobuf::util;
constexpr size_t kMaxDepth = 8;

/// How a refusal looks in Connect: its code's name and HTTP status (connectrpc.com/docs/protocol, "Error
/// codes").
struct ConnectCode {
  v1::RefusalCode refusal;
  std::string_view name;
  unsigned status;
};
constexpr std::array kCodes = {
    ConnectCode{v1::REFUSAL_CODE_NOT_FOUND, "not_found", 404},
    ConnectCode{v1::REFUSAL_CODE_BAD_REQUEST, "invalid_argument", 400},
    ConnectCode{v1::REFUSAL_CODE_UNAUTHENTICATED, "unauthenticated", 401},
    ConnectCode{v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "resource_exhausted", 429},
    ConnectCode{v1::REFUSAL_CODE_BOX_FULL, "resource_exhausted", 429},
    ConnectCode{v1::REFUSAL_CODE_LIMIT_REACHED, "resource_exhausted", 429},
    ConnectCode{v1::REFUSAL_CODE_STORE_UNAVAILABLE, "unavailable", 503},
};

ConnectCode code_of(v1::RefusalCode refusal) {
  for (const ConnectCode& row : kCodes)
    if (row.refusal == refusal) return row;
  return {refusal, "internal", 500};
}

/// Connect wants standard base64 without padding.
std::string to_base64(std::string_view bytes) {
  std::string text = crypto::to_base64url(core::as_bytes(bytes));
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  return text;
}

HttpReply refuse(v1::RefusalCode refusal, std::string_view detail, uint32_t retry_after = 0) {
  const ConnectCode code = code_of(refusal);
  v1::Refused refused;
  refused.set_code(refusal);
  refused.set_detail(std::string(detail));
  refused.set_retry_after_seconds(retry_after);
  std::string debug;
  if (!json::MessageToJsonString(refused, &debug).ok()) debug = "{}";
  HttpReply reply = text_reply(code.status, "application/json",
                               std::string("{\"code\":\"")
                                   .append(code.name)
                                   .append("\",\"message\":\"")
                                   .append(detail)
                                   .append("\",\"details\":[{\"type\":\"huitang.v1.Refused\",\"value\":\"")
                                   .append(to_base64(refused.SerializeAsString()))
                                   .append("\",\"debug\":")
                                   .append(debug)
                                   .append("}]}"));
  if (retry_after > 0) reply.with("Retry-After", std::to_string(retry_after));
  return reply;
}

bool parse(const HttpRequest& request, bool is_json, google::protobuf::Message& message) {
  if (!is_json) return message.ParseFromString(request.body);
  if (request.body.empty()) return true;
  json::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return is_shallow(request.body, kMaxDepth) &&
         json::JsonStringToMessage(request.body, &message, options).ok();
}

HttpReply answer(const google::protobuf::Message& message, bool is_json) {
  std::string body;
  if (!is_json) {
    message.SerializeToString(&body);
  } else if (!json::MessageToJsonString(message, &body).ok()) {
    return refuse(v1::REFUSAL_CODE_INTERNAL, "the answer could not be written");
  }
  HttpReply reply = text_reply(200, is_json ? "application/json" : "application/proto", std::move(body));
  reply.with("Cache-Control", "no-store");
  return reply;
}

/// A page of another origin must not act with the visitor's cookie.
bool is_own_origin(const HttpRequest& request) {
  return request.origin.empty() || request.origin == "https://" + request.host;
}

}  // namespace

struct ConnectApi::Method {
  std::string_view name;
  void (ConnectApi::*call)(const HttpRequest&, Coding, ReplyFunction);
};

const ConnectApi::Method* ConnectApi::find_method(std::string_view path) {
  static constexpr std::array kMethods = {
      Method{"CreateConference", &ConnectApi::create_conference},
      Method{"LookUpConference", &ConnectApi::look_up_conference},
  };
  for (const Method& method : kMethods)
    if (path.substr(kPrefix.size()) == method.name) return &method;
  return nullptr;
}

ConnectApi::ConnectApi(Config config, ConferenceHost& host, AdminGate& gate, Clock clock)
    : config_(config), host_(host), gate_(gate), clock_(std::move(clock)) {}

bool ConnectApi::may_create(const HttpRequest& request) {
  return config_.anyone_may_create || gate_.is_admin(clock_.monotonic(), clock_.wall(), request);
}

void ConnectApi::handle(const HttpRequest& request, ReplyFunction reply) {
  const Method* method = find_method(request.path);
  if (method == nullptr)
    return reply(
        text_reply(404, "application/json", R"({"code":"unimplemented","message":"no such method"})"));
  const std::string_view type =
      std::string_view(request.content_type).substr(0, request.content_type.find(';'));
  if (type != "application/json" && type != "application/proto") {
    HttpReply unsupported =
        text_reply(415, "text/plain; charset=utf-8", "application/json or application/proto\n");
    unsupported.with("Accept-Post", "application/json, application/proto");
    return reply(std::move(unsupported));
  }
  if (!is_own_origin(request))
    return reply(refuse(v1::REFUSAL_CODE_UNAUTHENTICATED, "the page is not from here"));
  (this->*method->call)(request, type == "application/json" ? Coding::Json : Coding::Binary,
                        std::move(reply));
}

void ConnectApi::create_conference(const HttpRequest& request, Coding coding, ReplyFunction reply) {
  const bool is_json = coding == Coding::Json;
  if (!creates_.try_take(clock_.monotonic(), request.from))
    return reply(refuse(v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "too many conferences from here",
                        creates_.wait_seconds(request.from)));
  if (!may_create(request))
    return reply(refuse(v1::REFUSAL_CODE_UNAUTHENTICATED, "creating a conference needs the admin token"));
  v1::CreateConferenceRequest asked;
  if (!parse(request, is_json, asked)) return reply(refuse(v1::REFUSAL_CODE_BAD_REQUEST, "not understood"));
  host_.create_conference(asked.title(), [reply = std::move(reply), is_json](
                                             core::Result<CreatedConference, conference::Refusal> made) {
    if (!made) return reply(refuse(made.error().code, made.error().detail));
    v1::CreateConferenceResponse response;
    response.set_number(made->number);
    response.set_link(made->link);
    response.set_chair_link(made->chair_link);
    reply(answer(response, is_json));
  });
}

void ConnectApi::look_up_conference(const HttpRequest& request, Coding coding, ReplyFunction reply) {
  const bool is_json = coding == Coding::Json;
  if (!look_ups_.try_take(clock_.monotonic(), request.from))
    return reply(refuse(v1::REFUSAL_CODE_TOO_MANY_REQUESTS, "too many look-ups from here",
                        look_ups_.wait_seconds(request.from)));
  v1::LookUpConferenceRequest asked;
  if (!parse(request, is_json, asked)) return reply(refuse(v1::REFUSAL_CODE_BAD_REQUEST, "not understood"));
  const std::optional<std::string> title = host_.look_up(asked.number());
  if (!title) return reply(refuse(v1::REFUSAL_CODE_NOT_FOUND, "no such conference"));
  v1::LookUpConferenceResponse response;
  response.set_title(*title);
  reply(answer(response, is_json));
}

}  // namespace huitang::api
