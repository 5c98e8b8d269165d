// The constructors behind make_backend; private to this folder.
#pragma once

#include <memory>

#include "srtp/backend.h"

namespace huitang::srtp {

std::unique_ptr<Backend> make_openssl_backend();
/// Null when not built in or not runnable here.
std::unique_ptr<Backend> make_ipsec_mb_backend();

}  // namespace huitang::srtp
