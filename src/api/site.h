// Everything that HTTP requests can reach: one table of routes, then the embedded pages, then 404.
#pragma once

#include <functional>
#include <string>

#include "api/admin_gate.h"
#include "api/connect_api.h"
#include "api/http.h"
#include "api/page_table.h"

namespace huitang::api {

class Site {
 public:
  struct Config {
    bool demo = false;
    std::string version;
    std::string ca_pem;  ///< empty with the office's own certificate
    std::string ca_fingerprint;
  };
  /// Empty: ready. Otherwise what is missing, in plain words.
  using ReadyCheck = std::function<std::string()>;
  /// Lines in plain words about what a caretaker should know; empty when all is well.
  using Alarms = std::function<std::string()>;
  /// The administrator's snapshot as JSON, later.
  using Debug = std::function<void(bool reveal, std::function<void(std::string json)> done)>;

  Site(Config config, PageTable pages, ConnectApi& api, AdminGate& gate, const Metrics& metrics, Clock clock,
       ReadyCheck ready, Alarms alarms, Debug debug);
  void handle(const HttpRequest& request, ReplyFunction reply);

 private:
  struct Route;
  static const Route* find_route(const HttpRequest& request, bool& path_known);

  bool is_caretaker(const HttpRequest& request);
  HttpReply embedded_page(const HttpRequest& request, std::string_view path) const;
  void start_page(const HttpRequest& request, ReplyFunction reply);
  void join_page(const HttpRequest& request, ReplyFunction reply);
  void trust(const HttpRequest& request, ReplyFunction reply);
  void ca_certificate(const HttpRequest& request, ReplyFunction reply);
  void plain_style(const HttpRequest& request, ReplyFunction reply);
  void admin_link(const HttpRequest& request, ReplyFunction reply);
  void admin_script(const HttpRequest& request, ReplyFunction reply);
  void admin_session(const HttpRequest& request, ReplyFunction reply);
  void boot(const HttpRequest& request, ReplyFunction reply);
  void health(const HttpRequest& request, ReplyFunction reply);
  void readiness(const HttpRequest& request, ReplyFunction reply);
  void metrics(const HttpRequest& request, ReplyFunction reply);
  void debug(const HttpRequest& request, ReplyFunction reply);
  void api(const HttpRequest& request, ReplyFunction reply);

  Config config_;
  PageTable pages_;
  ConnectApi& api_;
  AdminGate& gate_;
  const Metrics& metrics_;
  Clock clock_;
  ReadyCheck ready_;
  Alarms alarms_;
  Debug debug_;
};

}  // namespace huitang::api
