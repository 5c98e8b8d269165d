// Asks the running services how they are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/local_access.h"
#include "api/settings.h"
#include "doctor/service_check.h"

namespace huitang::doctor {

struct MediaAnswer {
  MediaFacts facts;
  std::vector<std::string> udp_addresses;  ///< "ip:port"
};
/// Hello and snapshot over the control socket; waits a few seconds at most.
MediaAnswer probe_media(const std::string& socket, const std::string& own_build);

/// Our own serve, as the settings say where it is; absent when its certificate cannot be read.
std::optional<api::LocalTarget> local_target(const api::Settings& settings);
ServeFacts probe_serve(const std::optional<api::LocalTarget>& target);

}  // namespace huitang::doctor
