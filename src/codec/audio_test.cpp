#include <gtest/gtest.h>

#include <string>

#include "codec/opus.h"
#include "codec/red.h"

namespace huitang::codec {
namespace {

TEST(Opus, knows_the_duration_of_each_configuration) {
  const auto ms10 = [](uint8_t toc, core::Buffer rest = {0}) {  // in tenths of a millisecond
    rest.insert(rest.begin(), toc);
    const auto p = parse_opus(rest);
    return p ? p->duration.to_micros() / 100 : -1;
  };
  EXPECT_EQ(ms10(3 << 3), 600);   // SILK narrow band, 60 ms
  EXPECT_EQ(ms10(12 << 3), 100);  // hybrid, 10 ms
  EXPECT_EQ(ms10(15 << 3), 200);
  EXPECT_EQ(ms10(16 << 3), 25);  // CELT, 2.5 ms
  EXPECT_EQ(ms10(31 << 3), 200);
  EXPECT_EQ(ms10(31 << 3 | 1), 400);           // two equal frames
  EXPECT_EQ(ms10(31 << 3 | 3, {6, 0}), 1200);  // six frames
  EXPECT_EQ(ms10(31 << 3 | 3, {7, 0}), -1);    // 140 ms is too long
  EXPECT_EQ(ms10(31 << 3 | 3, {0, 0}), -1);
}

TEST(Opus, tells_silence_by_its_size) {
  const core::Buffer dtx{31 << 3}, speech{31 << 3 | 4, 1, 2, 3};
  EXPECT_TRUE(parse_opus(dtx)->is_dtx);
  EXPECT_FALSE(parse_opus(speech)->is_dtx);
  EXPECT_TRUE(parse_opus(speech)->stereo);
  EXPECT_EQ(parse_opus(speech)->samples(), 960U);
  EXPECT_FALSE(parse_opus({}));
}

core::Buffer frame(char c, size_t n) { return core::Buffer(n, static_cast<uint8_t>(c)); }

TEST(Red, reads_back_what_was_written) {
  const auto a = frame('a', 100), b = frame('b', 0), c = frame('c', 80);
  const RedBlock blocks[] = {{111, 1920, a}, {111, 960, b}, {111, 0, c}};
  core::Buffer out(300);
  out.resize(write_red(out, blocks));
  EXPECT_EQ(out.size(), 2 * 4 + 1 + 180U);
  const auto v = parse_red(out);
  ASSERT_TRUE(v);
  ASSERT_EQ(v->count, 3);
  EXPECT_EQ(v->older()[0].timestamp_offset, 1920);
  EXPECT_EQ(v->older()[0].data.size(), 100U);
  EXPECT_TRUE(v->older()[1].data.empty());
  EXPECT_EQ(v->newest().payload_type, 111);
  EXPECT_EQ(core::as_text(v->newest().data), std::string(80, 'c'));
}

TEST(Red, refuses_lengths_beyond_the_packet_and_too_many_blocks) {
  const core::Buffer over{0x80 | 111, 0, 4, 9, 111, 1, 2};
  EXPECT_EQ(parse_red(over).error(), core::ParseError::Truncated);
  core::Buffer many(100, 0x80);
  EXPECT_EQ(parse_red(many).error(), core::ParseError::TooLarge);
  EXPECT_EQ(parse_red({}).error(), core::ParseError::Truncated);
  const RedBlock too_old[] = {{111, 0x4000, {}}, {111, 0, {}}};
  core::Buffer out(100);
  EXPECT_EQ(write_red(out, too_old), 0U);
}

TEST(RedMaker, repeats_the_last_frames_oldest_first) {
  RedMaker maker(111, 2);
  core::Buffer out(1500);
  for (uint32_t i = 0; i < 4; ++i) {
    const auto f = frame(static_cast<char>('a' + i), 50 + i);
    const size_t n = maker.make(960 * i, f, out);
    const auto v = parse_red(core::Bytes(out).first(n));
    ASSERT_TRUE(v);
    ASSERT_EQ(v->count, std::min(i + 1, 3U));
    EXPECT_EQ(v->newest().data[0], 'a' + i);
    for (uint32_t k = 1; k < v->count; ++k) {
      const auto& block = v->blocks[v->count - 1 - k];
      EXPECT_EQ(block.timestamp_offset, 960 * k);
      EXPECT_EQ(block.data[0], 'a' + i - k);
    }
  }
}

TEST(RedMaker, leaves_out_what_does_not_fit_is_too_old_or_is_silence) {
  RedMaker maker(111, 2);
  core::Buffer out(1500);
  maker.make(0, frame('a', 500), out);
  maker.make(960, frame('s', 2), out);  // DTX: sent, but not worth repeating
  EXPECT_EQ(parse_red(core::Bytes(out).first(maker.make(1920, frame('b', 500), out)))->count, 2);
  core::Buffer small(600);
  EXPECT_EQ(parse_red(core::Bytes(small).first(maker.make(2880, frame('c', 300), small)))->count, 1);
  EXPECT_EQ(parse_red(core::Bytes(out).first(maker.make(200'000, frame('d', 30), out)))->count, 1);
  maker.reset();
  EXPECT_EQ(parse_red(core::Bytes(out).first(maker.make(200'960, frame('e', 30), out)))->count, 1);
  EXPECT_EQ(maker.make(201'920, frame('f', 3000), out), 0U);
}

}  // namespace
}  // namespace huitang::codec
