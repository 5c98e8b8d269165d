#include <gtest/gtest.h>

#include <span>

#include "core/address.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/id.h"
#include "core/random.h"
#include "core/result.h"
#include "core/time.h"
#include "core/units.h"
#include "core/unwrap.h"

namespace huitang::core {
namespace {

TEST(ByteReader, returns_zeros_and_stays_failed_past_the_end) {
  const uint8_t data[] = {1, 2, 3};
  ByteReader r(data);
  EXPECT_EQ(r.u16(), 0x0102);
  EXPECT_EQ(r.u32(), 0u);
  EXPECT_TRUE(r.failed());
  EXPECT_EQ(r.u8(), 0) << "no read succeeds after a failed one";
}

TEST(ByteWriter, refuses_what_does_not_fit_and_writes_nothing_past_the_end) {
  uint8_t data[4] = {9, 9, 9, 9};
  ByteWriter w(MutableBytes(data).first(3));
  w.u16(0xabcd);
  w.u16(0x1234);
  EXPECT_TRUE(w.failed());
  EXPECT_EQ(w.size(), 2u);
  EXPECT_EQ(data[3], 9);
}

TEST(Unwrapper, follows_wraps_in_both_directions) {
  Unwrapper<uint16_t> u;
  const int64_t first = u.unwrap(65534);
  EXPECT_EQ(u.unwrap(1), first + 3);
  EXPECT_EQ(u.unwrap(65535), first + 1);
  EXPECT_EQ(u.peek(0), first + 2);
}

TEST(IsNewer, is_serial_arithmetic) {
  EXPECT_TRUE(is_newer<uint16_t>(0, 65535));
  EXPECT_FALSE(is_newer<uint16_t>(65535, 0));
  EXPECT_FALSE(is_newer<uint16_t>(7, 7));
}

TEST(IpAddress, text_round_trips) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "::1"}) EXPECT_EQ(to_string(*parse_ip(text)), text);
  EXPECT_FALSE(parse_ip("300.1.1.1"));
  EXPECT_FALSE(parse_ip(std::string(200, '1')));
  EXPECT_EQ(to_string(SocketAddress{*parse_ip("::1"), 5}), "[::1]:5");
  EXPECT_EQ(*parse_ip("::ffff:10.0.0.1"), IpAddress::v4(10, 0, 0, 1));
}

TEST(Result, holds_a_value_or_an_error) {
  auto half = [](int v) -> Result<int, ParseError> {
    if (v % 2) return err(ParseError::Malformed);
    return v / 2;
  };
  EXPECT_EQ(half(4).value(), 2);
  EXPECT_EQ(half(3).error(), ParseError::Malformed);
  EXPECT_EQ(half(3).value_or(7), 7);
  Result<void, ParseError> ok;
  EXPECT_TRUE(ok.has_value());
}

TEST(SeededRandom, repeats_by_seed) {
  SeededRandom a(7), b(7), c(8);
  EXPECT_EQ(a.u64(), b.u64());
  EXPECT_NE(a.u64(), c.u64());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(3), 3u);
}

TEST(Bitrate, is_bytes_over_time) {
  EXPECT_EQ(rate_of(ByteCount(125), Duration::millis(1)).to_bps(), 1'000'000);
  EXPECT_EQ(rate_of(ByteCount(125), Duration()).to_bps(), 0);
}

}  // namespace
}  // namespace huitang::core
