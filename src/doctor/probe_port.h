// Tries ports and finds who holds them.
#pragma once

#include <string>

#include "doctor/port_check.h"

namespace huitang::doctor {

struct PortQuestion {
  bool is_tcp = true;
  std::string address;  ///< to bind
  uint32_t port = 0;
};

/// Binds and lets go again. A port that a process named `huitang` holds is Ours; `service_up` decides where the
/// holder cannot be seen (another user's process).
PortFacts probe_port(const PortQuestion& question, bool service_up);

}  // namespace huitang::doctor
