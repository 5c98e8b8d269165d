#include "net/failure.h"

#include <cerrno>

namespace huitang::net {

core::Unexpected<core::Failure> errno_failure(std::string context) {
  return core::err(core::Failure{std::error_code(errno, std::generic_category()), std::move(context)});
}

std::string to_string(const core::Failure& failure) {
  return failure.context + ": " + failure.code.message();
}

}  // namespace huitang::net
