#include "api/site.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>

#include "api/plain_pages.h"
#include "api/wire.h"
#include "huitang/v1/api.pb.h"

namespace huitang::api {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kText = "text/plain; charset=utf-8";

HttpReply html(unsigned status, std::string body) {
  HttpReply reply = text_reply(status, kHtml, std::move(body));
  reply.with("Cache-Control", "no-cache");
  return reply;
}

HttpReply fresh_text(unsigned status, std::string_view type, std::string body) {
  HttpReply reply = text_reply(status, type, std::move(body));
  reply.with("Cache-Control", "no-store");
  return reply;
}

bool is_loopback(const core::IpAddress& address) {
  static constexpr core::IpAddress kV6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return address == kV6 || (address.is_v4() && address.bytes[12] == 127);
}

/// "/j/123456789"
bool is_join_path(std::string_view path) {
  const std::string_view number = path.substr(std::min<size_t>(3, path.size()));
  return number.size() == 9 && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

struct Site::Route {
  HttpMethod method;  ///< Get stands for Head too
  std::string_view path;
  bool is_prefix;
  void (Site::*handle)(const HttpRequest&, ReplyFunction);
};

const Site::Route* Site::find_route(const HttpRequest& request, bool& path_known) {
  using enum HttpMethod;
  static constexpr std::array kRoutes = {
      Route{Get, "/", false, &Site::start_page},
      Route{Get, "/j/", true, &Site::join_page},
      Route{Get, "/trust", false, &Site::trust},
      Route{Get, "/ca.crt", false, &Site::ca_certificate},
      Route{Get, "/plain.css", false, &Site::plain_style},
      Route{Get, "/admin-link", false, &Site::admin_link},
      Route{Get, "/admin-link.js", false, &Site::admin_script},
      Route{Post, "/api/admin-session", false, &Site::admin_session},
      Route{Get, "/api/boot.json", false, &Site::boot},
      Route{Get, "/healthz", false, &Site::health},
      Route{Get, "/readyz", false, &Site::readiness},
      Route{Get, "/metrics", false, &Site::metrics},
      Route{Get, "/api/debug.json", false, &Site::debug},
      Route{Post, ConnectApi::kPrefix, true, &Site::api},
  };
  const HttpMethod method = request.method == Head ? Get : request.method;
  for (const Route& route : kRoutes) {
    const bool here = route.is_prefix ? request.path.starts_with(route.path) : request.path == route.path;
    if (!here) continue;
    path_known = true;
    if (route.method == method) return &route;
  }
  return nullptr;
}

Site::Site(Config config, PageTable pages, ConnectApi& api, AdminGate& gate, const Metrics& metrics,
           Clock clock, ReadyCheck ready, Alarms alarms, Debug debug)
    : config_(std::move(config)),
      pages_(pages),
      api_(api),
      gate_(gate),
      metrics_(metrics),
      clock_(std::move(clock)),
      ready_(std::move(ready)),
      alarms_(std::move(alarms)),
      debug_(std::move(debug)) {}

void Site::handle(const HttpRequest& request, ReplyFunction reply) {
  bool path_known = false;
  const Route* route = find_route(request, path_known);
  if (route != nullptr) return (this->*route->handle)(request, std::move(reply));
  const bool reads = request.method == HttpMethod::Get || request.method == HttpMethod::Head;
  if (path_known || (!reads && pages_.find(request.path) != nullptr))
    return reply(text_reply(405, kText, "this address does not take that method\n"));
  reply(embedded_page(request, request.path));
}

HttpReply Site::embedded_page(const HttpRequest& request, std::string_view path) const {
  const Page* page = pages_.find(path);
  if (page == nullptr) return html(404, not_found_page());
  const std::string cache = page->immutable ? "public, max-age=31536000, immutable" : "no-cache";
  HttpReply reply;
  reply.with("ETag", std::string(page->etag)).with("Cache-Control", cache).with("Vary", "Accept-Encoding");
  if (request.if_none_match.find(page->etag) != std::string::npos) {
    reply.status = 304;
    return reply;
  }
  const Encoded encoded = choose_encoding(*page, request.accept_encoding);
  reply.with("Content-Type", std::string(page->content_type));
  if (!encoded.encoding.empty()) reply.with("Content-Encoding", std::string(encoded.encoding));
  reply.embedded = encoded.bytes;
  return reply;
}

void Site::start_page(const HttpRequest& request, ReplyFunction reply) {
  reply(pages_.find("/index.html") == nullptr ? html(200, not_built_page())
                                              : embedded_page(request, "/index.html"));
}

void Site::join_page(const HttpRequest& request, ReplyFunction reply) {
  // Whether there is such a conference shows only when one tries to join.
  if (!is_join_path(request.path)) return reply(html(404, not_found_page()));
  start_page(request, std::move(reply));
}

void Site::trust(const HttpRequest&, ReplyFunction reply) {
  reply(html(200,
             config_.ca_pem.empty() ? trust_page_of_own_certificate() : trust_page(config_.ca_fingerprint)));
}

void Site::ca_certificate(const HttpRequest&, ReplyFunction reply) {
  if (config_.ca_pem.empty()) return reply(html(404, not_found_page()));
  HttpReply file = fresh_text(200, "application/x-x509-ca-cert", config_.ca_pem);
  file.with("Content-Disposition", "attachment; filename=\"huitang-ca.crt\"");
  reply(std::move(file));
}

void Site::plain_style(const HttpRequest&, ReplyFunction reply) {
  reply(text_reply(200, "text/css; charset=utf-8", std::string(kPlainStyle)));
}

void Site::admin_link(const HttpRequest&, ReplyFunction reply) { reply(html(200, admin_link_page())); }

void Site::admin_script(const HttpRequest&, ReplyFunction reply) {
  reply(fresh_text(200, "text/javascript; charset=utf-8", std::string(kAdminLinkScript)));
}

void Site::admin_session(const HttpRequest& request, ReplyFunction reply) {
  google::protobuf::Struct body;
  const bool own = request.origin.empty() || request.origin == "https://" + request.host;
  const bool understood = request.content_type.starts_with("application/json") &&
                          is_shallow(request.body, 2) &&
                          google::protobuf::util::JsonStringToMessage(request.body, &body).ok();
  if (!own || !understood) return reply(fresh_text(400, kText, "not understood\n"));
  const auto field = body.fields().find("token");
  const std::string secret = field == body.fields().end() ? std::string() : field->second.string_value();
  const std::optional<std::string> cookie =
      gate_.open_session(clock_.monotonic(), clock_.wall(), request.from, secret);
  if (!cookie)
    return reply(fresh_text(401, kText, "this is not the admin token, or there were too many tries\n"));
  HttpReply welcome = fresh_text(204, kText, "");
  welcome.with("Set-Cookie", *cookie);
  reply(std::move(welcome));
}

void Site::boot(const HttpRequest& request, ReplyFunction reply) {
  v1::Boot boot;
  boot.set_demo(config_.demo);
  boot.set_version(config_.version);
  boot.set_may_create(api_.may_create(request));
  std::string body;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(boot, &body, options).ok()) body = "{}";
  reply(fresh_text(200, "application/json", std::move(body)));
}

/// Who may see inside: programs of this machine, and whoever has the admin token.
bool Site::is_caretaker(const HttpRequest& request) {
  return is_loopback(request.from) || gate_.is_admin(clock_.monotonic(), clock_.wall(), request);
}

void Site::health(const HttpRequest& request, ReplyFunction reply) {
  reply(fresh_text(200, kText, "ok\n" + (is_caretaker(request) ? alarms_() : std::string())));
}

void Site::readiness(const HttpRequest& request, ReplyFunction reply) {
  const std::string missing = ready_();
  // A full box is ready: those inside go on through it.
  const bool is_full = metrics_.get(Metric::BoxFull) != 0;
  if (missing.empty())
    return reply(fresh_text(200, kText, is_full ? "ready, but full: no new participants\n" : "ready\n"));
  reply(fresh_text(503, kText, is_caretaker(request) ? missing + "\n" : "not ready\n"));
}

void Site::metrics(const HttpRequest& request, ReplyFunction reply) {
  if (!is_caretaker(request))
    return reply(fresh_text(401, kText, "from this machine, or with the admin token as bearer\n"));
  reply(fresh_text(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.to_prometheus()));
}

void Site::debug(const HttpRequest& request, ReplyFunction reply) {
  if (!gate_.is_admin(clock_.monotonic(), clock_.wall(), request))
    return reply(fresh_text(401, kText, "for administrators\n"));
  debug_(request.query == "reveal=1", [reply = std::move(reply)](std::string json) {
    reply(fresh_text(200, "application/json", std::move(json)));
  });
}

void Site::api(const HttpRequest& request, ReplyFunction reply) { api_.handle(request, std::move(reply)); }

}  // namespace huitang::api
