#include "api/token_bucket.h"

#include <gtest/gtest.h>

namespace huitang::api {
namespace {

core::Instant at(double seconds) { return core::Instant() + core::Duration::seconds_f(seconds); }

TEST(TokenBucket, lets_a_burst_through_and_then_the_rate) {
  TokenBucket bucket({2, 3});
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += bucket.try_take(at(1)) ? 1 : 0;
  EXPECT_EQ(taken, 3);
  EXPECT_FALSE(bucket.try_take(at(1.4)));
  EXPECT_TRUE(bucket.try_take(at(1.6)));
  EXPECT_FALSE(bucket.try_take(at(1.6)));
}

TEST(TokenBucket, never_holds_more_than_its_burst) {
  TokenBucket bucket({2, 3});
  EXPECT_FALSE(bucket.try_take(at(1000), 4));
  EXPECT_TRUE(bucket.try_take(at(1000), 3));
}

TEST(TokenBucket, says_how_long_to_wait) {
  TokenBucket bucket({0.5, 1});
  EXPECT_TRUE(bucket.try_take(at(1)));
  EXPECT_GE(bucket.wait_seconds(), 2u);
}

TEST(TokenBucket, does_not_gain_when_time_goes_back) {
  TokenBucket bucket({1, 1});
  EXPECT_TRUE(bucket.try_take(at(5)));
  EXPECT_FALSE(bucket.try_take(at(4)));
  EXPECT_FALSE(bucket.try_take(at(5.5)));
}

TEST(AddressLimiter, treats_addresses_apart_and_an_ipv6_network_as_one) {
  AddressLimiter limiter({1, 1});
  EXPECT_TRUE(limiter.try_take(at(1), *core::parse_ip("10.0.0.1")));
  EXPECT_FALSE(limiter.try_take(at(1), *core::parse_ip("10.0.0.1")));
  EXPECT_TRUE(limiter.try_take(at(1), *core::parse_ip("10.0.0.2")));
  EXPECT_TRUE(limiter.try_take(at(1), *core::parse_ip("2001:db8:0:1::1")));
  EXPECT_FALSE(limiter.try_take(at(1), *core::parse_ip("2001:db8:0:1::2")));
  EXPECT_TRUE(limiter.try_take(at(1), *core::parse_ip("2001:db8:0:2::1")));
}

TEST(AddressLimiter, keeps_memory_bounded_under_a_flood_of_addresses) {
  AddressLimiter limiter({1, 1});
  for (uint32_t i = 0; i < 50'000; ++i)
    limiter.try_take(at(1), core::IpAddress::v4(10, static_cast<uint8_t>(i >> 16),
                                                static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)));
  EXPECT_LE(limiter.size(), AddressLimiter::kMaxAddresses);
  EXPECT_FALSE(limiter.try_take(at(1), core::IpAddress::v4(192, 0, 2, 1)))
      << "strangers share one bucket now";
  limiter.try_take(at(20), core::IpAddress::v4(192, 0, 2, 1));
  EXPECT_LE(limiter.size(), 2u) << "those who kept quiet are forgotten";
}

}  // namespace
}  // namespace huitang::api
