// The control plane's logger.
#pragma once

#include "net/log.h"

namespace huitang::api {

inline net::Logger logger() { return net::root_logger(); }

}  // namespace huitang::api
