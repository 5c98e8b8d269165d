// The API for machines and for the landing page: unary calls of the Connect protocol over POST, JSON or
// binary bodies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/admin_gate.h"
#include "api/conference_host.h"
#include "api/http.h"

namespace huitang::api {

class ConnectApi {
 public:
  struct Config {
    bool anyone_may_create = false;
  };
  ConnectApi(Config config, ConferenceHost& host, AdminGate& gate, Clock clock);

  static constexpr std::string_view kPrefix = "/huitang.v1.ConferenceService/";
  /// A POST below kPrefix.
  void handle(const HttpRequest& request, ReplyFunction reply);
  bool may_create(const HttpRequest& request);

 private:
  struct Method;
  static const Method* find_method(std::string_view path);
  enum class Coding : uint8_t { Json, Binary };
  void create_conference(const HttpRequest& request, Coding coding, ReplyFunction reply);
  void look_up_conference(const HttpRequest& request, Coding coding, ReplyFunction reply);

  Config config_;
  ConferenceHost& host_;
  AdminGate& gate_;
  Clock clock_;
  AddressLimiter creates_{{0.5, 20}};
  AddressLimiter look_ups_{{2, 60}};
};

}  // namespace huitang::api
