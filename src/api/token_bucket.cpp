#include "api/token_bucket.h"

namespace huitang::api {

AddressLimiter::Key AddressLimiter::key_of(const core::IpAddress& from) {
  Key key{from};
  if (!from.is_v4()) std::fill(key.network.bytes.begin() + 8, key.network.bytes.end(), uint8_t{0});
  return key;
}

void AddressLimiter::forget_full(core::Instant now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + core::Duration::seconds(10);
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.is_full(now); });
}

bool AddressLimiter::try_take(core::Instant now, const core::IpAddress& from, double permits) {
  forget_full(now);
  const Key key = key_of(from);
  auto at = buckets_.find(key);
  if (at == buckets_.end()) {
    if (buckets_.size() >= kMaxAddresses) return overflow_.try_take(now, permits);
    at = buckets_.emplace(key, TokenBucket(rate_)).first;
  }
  return at->second.try_take(now, permits);
}

bool AddressLimiter::has(core::Instant now, const core::IpAddress& from) const {
  const auto at = buckets_.find(key_of(from));
  if (at != buckets_.end()) return at->second.has(now);
  return buckets_.size() < kMaxAddresses || overflow_.has(now);
}

uint32_t AddressLimiter::wait_seconds(const core::IpAddress& from) const {
  const auto at = buckets_.find(key_of(from));
  return at == buckets_.end() ? overflow_.wait_seconds() : at->second.wait_seconds();
}

}  // namespace huitang::api
