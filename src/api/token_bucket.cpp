#include "api/token_bucket.h"

namespace huitang::api {

core::IpAddress network_of(const core::IpAddress& from) {
  core::IpAddress network = from;
  if (!from.is_v4()) std::fill(network.bytes.begin() + 8, network.bytes.end(), uint8_t{0});
  return network;
}

void AddressLimiter::forget_full(core::Instant now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + core::Duration::seconds(10);
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.is_full(now); });
}

TokenBucket& AddressLimiter::bucket_of(core::Instant now, const core::IpAddress& from) {
  forget_full(now);
  const Key key{network_of(from)};
  const auto at = buckets_.find(key);
  if (at != buckets_.end()) return at->second;
  if (buckets_.size() >= kMaxAddresses) return overflow_;
  return buckets_.emplace(key, TokenBucket(rate_)).first->second;
}

bool AddressLimiter::try_take(core::Instant now, const core::IpAddress& from, double permits) {
  return bucket_of(now, from).try_take(now, permits);
}

void AddressLimiter::take_on_credit(core::Instant now, const core::IpAddress& from) {
  bucket_of(now, from).take_on_credit(now);
}

bool AddressLimiter::has(core::Instant now, const core::IpAddress& from) const {
  const auto at = buckets_.find(Key{network_of(from)});
  if (at != buckets_.end()) return at->second.has(now);
  return buckets_.size() < kMaxAddresses || overflow_.has(now);
}

uint32_t AddressLimiter::wait_seconds(const core::IpAddress& from) const {
  const auto at = buckets_.find(Key{network_of(from)});
  return at == buckets_.end() ? overflow_.wait_seconds() : at->second.wait_seconds();
}

}  // namespace huitang::api
