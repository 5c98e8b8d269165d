// What serve knows of a media service that the supervisor starts, not serve: whether it ends again and again soon after
// its start, as the record of its starts says. The same alarm as for a media process of serve's own.
#pragma once

#include <optional>
#include <string>

#include "api/metrics.h"
#include "net/start_record.h"

namespace huitang::app {

class MediaService {
 public:
  explicit MediaService(api::Metrics& metrics) : metrics_(metrics) {}

  /// Every few seconds: raises the alarm, and takes it back.
  void check();
  /// For /readyz; empty when there is none.
  std::string trouble() const;

 private:
  uint32_t quick_ends() const;

  api::Metrics& metrics_;
  std::optional<net::StartRecord> record_ = net::StartRecord::of_service("media");
  bool is_in_crash_loop_ = false;
};

}  // namespace huitang::app
