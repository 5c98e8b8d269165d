// Plain HTTP that answers every request with the way to HTTPS and nothing else. Only when configured.
#pragma once

#include <memory>
#include <string>

#include "api/io_loop.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::api {

class RedirectServer {
 public:
  /// `url` is where everything is: "https://192.0.2.1:8443".
  RedirectServer(IoLoop& loop, std::string url);
  ~RedirectServer();
  core::Result<void, core::Failure> listen(const std::string& bind_address, uint16_t port);
  uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace huitang::api
