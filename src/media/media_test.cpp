#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/random.h"
#include "media/mark.h"
#include "media/opus_codec.h"
#include "media/test_picture.h"
#include "media/text_face.h"
#include "media/tone.h"
#include "media/vp8_codec.h"
#include "media/vp8_rtp.h"

namespace huitang::media {
namespace {

constexpr PictureSize kSizes[] = {{160, 90}, {320, 180}, {640, 360}};

Picture painted(PictureSize size, uint16_t mark, double seconds = 0, bool lamp = false, bool lit = false) {
  Picture p(size);
  TestPicturePainter({.name = "Bot 7 \xe4\xbc\x9a", .mark = mark}).paint(p, {"12:34:56", seconds, lamp, lit});
  return p;
}

TEST(Mark, reads_every_id_that_was_written) {
  for (uint16_t id = 1; id <= kMaxMark; ++id) EXPECT_EQ(read_mark(painted({160, 90}, id).luma()), id);
}

TEST(Mark, finds_none_in_a_picture_without) {
  Picture grey({320, 180});
  std::fill_n(grey.y(), 320 * 180, uint8_t{100});
  EXPECT_FALSE(read_mark(grey.luma()));
  auto wrong = painted({320, 180}, 5);
  for (int y = 0; y < 22; ++y) {
    for (int x = 300; x < 320; ++x) wrong.y()[y * 320 + x] ^= 0xff;  // the last check bit
  }
  EXPECT_FALSE(read_mark(wrong.luma()));
}

TEST(Vp8Codec, carries_mark_and_lamp_through_the_codec_at_each_size) {
  for (const PictureSize size : kSizes) {
    auto encoder = Vp8Encoder::make({size, core::Bitrate::kbps(size.width * size.height / 800), 15});
    auto decoder = Vp8Decoder::make();
    ASSERT_TRUE(encoder && decoder);
    for (int i = 0; i < 30; ++i) {
      const bool lit = i % 5 == 0;
      const auto frame = encoder->encode(painted(size, 777, i / 15.0, true, lit), i * 6000, i == 20);
      ASSERT_TRUE(frame);
      EXPECT_EQ(frame->is_key_frame, i == 0 || i == 20) << i;
      const auto picture = decoder->decode(frame->data);
      ASSERT_TRUE(picture);
      EXPECT_EQ(picture->y.size, size);
      EXPECT_EQ(read_mark(picture->y), 777) << i;
      EXPECT_EQ(read_lamp(picture->y), lit) << i;
    }
  }
}

TEST(Vp8Codec, refuses_rubbish) {
  auto decoder = Vp8Decoder::make();
  EXPECT_FALSE(decoder->decode(core::Buffer(50, 0xff)));
  EXPECT_FALSE(decoder->decode({}));
}

TEST(Vp8Packetizer, makes_packets_that_differ_by_at_most_a_byte) {
  const codec::Vp8Descriptor d{.picture_id = 5, .tl0_picture_index = 6, .temporal_layer = 0};
  for (const size_t size : {1U, 1000U, 1101U, 5003U, 40'000U}) {
    const core::Buffer frame(size, 7);
    Vp8Packetizer p(frame, d, 1100);
    std::set<size_t> sizes;
    size_t total = 0;
    core::Buffer out(1100);
    while (p.remaining() > 0) {
      const size_t n = p.next(out);
      ASSERT_GT(n, 0U);
      sizes.insert(n);
      total += n - 6;
    }
    EXPECT_EQ(total, size);
    EXPECT_LE(*sizes.rbegin() - *sizes.begin(), 1U);
  }
}

/// Packets of `frames` frames; frame i has the byte i; key frames where asked.
std::vector<std::pair<Vp8Assembler::Packet, core::Buffer>> make_packets(int frames, std::set<int> keys,
                                                                        uint16_t first) {
  std::vector<std::pair<Vp8Assembler::Packet, core::Buffer>> packets;
  for (int i = 0; i < frames; ++i) {
    core::Buffer frame(3000, static_cast<uint8_t>(i));
    frame[0] = keys.contains(i) ? 0 : 1;
    Vp8Packetizer p(frame, {.picture_id = static_cast<uint16_t>(i)}, 1100);
    while (p.remaining() > 0) {
      core::Buffer out(1100);
      out.resize(p.next(out));
      packets.push_back({{.sequence_number = first++,
                          .timestamp = static_cast<uint32_t>(i * 6000),
                          .csrc = 9,
                          .marker = p.remaining() == 0},
                         out});
    }
  }
  for (auto& [packet, bytes] : packets) packet.payload = bytes;
  return packets;
}

std::vector<int> drain(Vp8Assembler& a) {
  std::vector<int> frames;
  while (const auto f = a.poll_frame()) {
    EXPECT_EQ(f->data.size(), 3000U);
    EXPECT_EQ(f->csrc, 9U);
    EXPECT_EQ(f->timestamp, f->data[1] * 6000U);
    frames.push_back(f->data[1]);
  }
  return frames;
}

TEST(Vp8Assembler, gives_frames_in_order_whatever_the_arrival) {
  auto packets = make_packets(60, {0}, 65500);
  core::SeededRandom random(1);
  for (size_t i = 0; i + 4 < packets.size(); ++i) std::swap(packets[i], packets[i + random.below(4)]);
  Vp8Assembler a;
  std::vector<int> seen;
  for (const auto& [p, bytes] : packets) {
    a.handle_packet(p);
    a.handle_packet(p);
    for (const int f : drain(a)) seen.push_back(f);
  }
  ASSERT_EQ(seen.size(), 60U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(Vp8Assembler, waits_for_a_repair_and_jumps_at_a_key_frame) {
  const auto packets = make_packets(20, {0, 10}, 100);
  Vp8Assembler a;
  EXPECT_TRUE(a.needs_key_frame());
  std::vector<int> seen;
  for (size_t i = 0; i < packets.size(); ++i) {
    if (i == 7) continue;
    if (i == 15) a.handle_packet(packets[7].first);
    if (i == 22) continue;  // of frame 7, for good
    a.handle_packet(packets[i].first);
    for (const int f : drain(a)) seen.push_back(f);
  }
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
}

TEST(Vp8Assembler, skips_numbers_filled_by_padding) {
  auto packets = make_packets(2, {0}, 0);
  Vp8Assembler a;
  for (size_t i = 0; i < 3; ++i) a.handle_packet(packets[i].first);
  a.handle_packet({.sequence_number = 3, .timestamp = 6000});
  for (size_t i = 3; i < 6; ++i) {
    ++packets[i].first.sequence_number;
    a.handle_packet(packets[i].first);
  }
  EXPECT_EQ(drain(a), (std::vector<int>{0, 1}));
}

TEST(Vp8Assembler, asks_for_a_key_frame_when_too_much_is_missing) {
  const auto packets = make_packets(200, {0}, 0);
  const auto more = make_packets(200, {}, 600);
  const auto again = make_packets(200, {}, 1200);
  Vp8Assembler a;
  for (size_t i = 0; i < 3; ++i) a.handle_packet(packets[i].first);
  EXPECT_EQ(drain(a).size(), 1U);
  for (size_t i = 4; i < packets.size(); ++i) a.handle_packet(packets[i].first);
  for (const auto& list : {more, again}) {
    for (const auto& [p, bytes] : list)
      a.handle_packet({p.sequence_number, p.timestamp, p.csrc, p.marker, bytes});
  }
  drain(a);
  EXPECT_TRUE(a.needs_key_frame());
}

TEST(Tone, is_found_by_frequency_through_opus) {
  ToneGenerator a(440), b(700);
  auto encoder = AudioEncoder::make(core::Bitrate::kbps(32));
  auto decoder = AudioDecoder::make();
  ASSERT_TRUE(encoder && decoder);
  ToneDetector detector({400, 440, 480, 700, 740, 1000});
  std::vector<int16_t> one(kOpusFrameSamples), two(kOpusFrameSamples);
  core::Buffer packet(kMaxOpusPacket);
  for (int i = 0; i < 50; ++i) {
    a.generate(one);
    b.generate(two);
    for (size_t k = 0; k < one.size(); ++k) one[k] = static_cast<int16_t>(one[k] + two[k]);
    const size_t n = encoder->encode(one, packet);
    ASSERT_GT(n, 3U);
    const auto samples = decoder->decode(core::Bytes(packet).first(n));
    ASSERT_EQ(samples.size(), kOpusFrameSamples);
    detector.handle_samples(samples);
  }
  EXPECT_EQ(detector.heard(), (std::vector<double>{440, 700}));
}

TEST(Tone, sounds_at_minus_twelve_decibels_and_falls_silent) {
  ToneGenerator g(1000);
  std::vector<int16_t> block(4800);
  g.generate(block);
  g.generate(block);
  EXPECT_NEAR(level_db(block), -12, 0.2);
  EXPECT_NEAR(tone_level_db(block, 1000), -12, 0.2);
  EXPECT_LT(tone_level_db(block, 1040), -40);
  g.generate(block, false);
  g.generate(block, false);
  EXPECT_EQ(level_db(block), -120);
}

TEST(TextFace, draws_names_of_any_script_within_their_width) {
  const auto face = TextFace::find();
  if (face == nullptr) GTEST_SKIP() << "no font installed";
  Picture p({320, 180});
  std::fill_n(p.y(), 320 * 180, uint8_t{0});
  face->draw(p, "\xe6\xa1\xa5\xe8\xa5\xbf\xe5\x8c\xba\xe4\xbc\x9a\xe5\x9c\xba \xff", {10, 20, 60, 100}, 200);
  int lit = 0;
  for (int y = 0; y < 180; ++y)
    for (int x = 0; x < 320; ++x)
      if (p.y()[y * 320 + x] > 100) {
        ++lit;
        EXPECT_GE(x, 10);
        EXPECT_LE(x, 112);
      }
  EXPECT_GT(lit, 100);
}

}  // namespace
}  // namespace huitang::media
