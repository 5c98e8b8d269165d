#include "srtp/backend.h"

#include <algorithm>

#include "srtp/backends.h"

namespace huitang::srtp {

void Backend::protect(std::span<CounterMacJob> jobs) {
  for (CounterMacJob& job : jobs) {
    const size_t end = job.header_size + job.in.size();
    job.cipher->crypt(job.iv, job.in, job.packet + job.header_size);
    const CounterMac::Tag tag = job.cipher->mac({job.packet, end}, job.suffix);
    std::copy(tag.begin(), tag.end(), job.packet + end);
  }
}

std::unique_ptr<Backend> make_backend(BackendKind kind) {
  switch (kind) {
    case BackendKind::IpsecMb: return make_ipsec_mb_backend();
    case BackendKind::OpenSsl: return make_openssl_backend();
  }
  return nullptr;
}

std::unique_ptr<Backend> make_best_backend() {
  auto backend = make_ipsec_mb_backend();
  return backend ? std::move(backend) : make_openssl_backend();
}

}  // namespace huitang::srtp
