// Whether a port is there for us: free, or held by our own process.
#pragma once

#include "doctor/finding.h"

namespace huitang::doctor {

enum class PortUse : uint8_t {
  Free,
  Ours,       ///< our own process answers there
  Taken,      ///< by somebody else
  Forbidden,  ///< this user may not bind it
};

struct PortFacts {
  std::string_view id;       ///< of the finding: "port-https", "port-redirect", "port-media"
  std::string_view setting;  ///< its key in the file
  bool is_tcp = true;
  uint32_t port = 0;
  PortUse use = PortUse::Free;
  std::string holder;          ///< "nginx (1234)" where known
  bool is_service_up = false;  ///< the service that should hold it answers
};

Finding check_port(const PortFacts& facts);

}  // namespace huitang::doctor
