// Rate limits. A bucket holds up to `burst` permits and gains `per_second`; whoever finds it empty is
// refused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "core/address.h"
#include "core/time.h"

namespace huitang::api {

struct Rate {
  double per_second = 1;
  double burst = 1;
};

class TokenBucket {
 public:
  explicit TokenBucket(Rate rate) : rate_(rate), level_(rate.burst) {}

  bool try_take(core::Instant now, double permits = 1) {
    refill(now);
    if (level_ < permits) return false;
    level_ -= permits;
    return true;
  }
  /// Takes the permit even when it is not there: down to a debt of one burst.
  void take_on_credit(core::Instant now, double permits = 1) {
    refill(now);
    level_ = std::max(-rate_.burst, level_ - permits);
  }
  bool has(core::Instant now, double permits = 1) const { return level_at(now) >= permits; }
  bool is_full(core::Instant now) const { return level_at(now) >= rate_.burst; }
  /// Whole seconds until `permits` are there, at least one.
  uint32_t wait_seconds(double permits = 1) const {
    const double missing = std::max(0.0, permits - level_);
    return 1 + static_cast<uint32_t>(missing / rate_.per_second);
  }

 private:
  double level_at(core::Instant now) const {
    if (!at_ || now <= *at_) return level_;
    return std::min(rate_.burst, level_ + (now - *at_).to_seconds() * rate_.per_second);
  }
  void refill(core::Instant now) {
    level_ = level_at(now);
    at_ = std::max(at_.value_or(now), now);
  }
  Rate rate_;
  double level_;
  std::optional<core::Instant> at_;
};

/// What counts as one address: of IPv6 the /64, for a host has all of that.
core::IpAddress network_of(const core::IpAddress& from);

/// One bucket for each address; IPv6 by its /64, for a host has all of that. Full buckets are forgotten, so
/// memory follows the number of addresses that lately came too often; above `kMaxAddresses` strangers share
/// one bucket.
class AddressLimiter {
 public:
  static constexpr size_t kMaxAddresses = 10'000;
  explicit AddressLimiter(Rate rate) : rate_(rate), overflow_(rate) {}

  bool try_take(core::Instant now, const core::IpAddress& from, double permits = 1);
  void take_on_credit(core::Instant now, const core::IpAddress& from);
  /// Whether a permit is there, without taking it.
  bool has(core::Instant now, const core::IpAddress& from) const;
  uint32_t wait_seconds(const core::IpAddress& from) const;
  size_t size() const { return buckets_.size(); }

 private:
  struct Key {
    core::IpAddress network;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return std::hash<core::SocketAddress>()({key.network, 0}); }
  };
  TokenBucket& bucket_of(core::Instant now, const core::IpAddress& from);
  void forget_full(core::Instant now);

  Rate rate_;
  TokenBucket overflow_;
  std::unordered_map<Key, TokenBucket, KeyHash> buckets_;
  core::Instant next_sweep_;
};

}  // namespace huitang::api
