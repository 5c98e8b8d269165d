// Makes core::Failure from errno.
#pragma once

#include <string>

#include "core/error.h"
#include "core/result.h"

namespace huitang::net {

/// The current errno and what was being done.
core::Unexpected<core::Failure> errno_failure(std::string context);
/// "bind UDP 0.0.0.0:5000: Address already in use".
std::string to_string(const core::Failure& failure);

}  // namespace huitang::net
