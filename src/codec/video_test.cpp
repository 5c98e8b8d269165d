#include "codec/video.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "codec/h264.h"
#include "codec/vp8.h"

namespace huitang::codec {
namespace {

Vp8Descriptor picture(uint16_t id, uint8_t tl0, uint8_t layer = 0) {
  return {.is_partition_start = true,
          .picture_id = id,
          .has_long_picture_id = true,
          .tl0_picture_index = tl0,
          .temporal_layer = layer};
}

core::Buffer key_frame(const Vp8Descriptor& d, uint16_t width, uint16_t height) {
  core::Buffer b(100);
  const size_t n = write_vp8_descriptor(b, d);
  const uint8_t start[] = {0x10,
                           0x02,
                           0x00,
                           0x9d,
                           0x01,
                           0x2a,
                           static_cast<uint8_t>(width),
                           static_cast<uint8_t>(width >> 8),
                           static_cast<uint8_t>(height),
                           static_cast<uint8_t>(height >> 8)};
  std::copy(std::begin(start), std::end(start), b.begin() + static_cast<ptrdiff_t>(n));
  return b;
}

TEST(Vp8, reads_back_the_descriptor_and_the_size_of_a_key_frame) {
  auto d = picture(0x7fff, 200, 2);
  d.is_layer_sync = true;
  d.is_non_reference = true;
  const auto b = key_frame(d, 640, 360);
  const auto p = parse_vp8(b);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->descriptor.picture_id, 0x7fff);
  EXPECT_EQ(p->descriptor.tl0_picture_index, 200);
  EXPECT_EQ(p->descriptor.temporal_layer, 2);
  EXPECT_TRUE(p->descriptor.is_layer_sync);
  EXPECT_TRUE(p->is_key_frame);
  EXPECT_EQ(p->width, 640);
  EXPECT_EQ(p->height, 360);
  const auto v = inspect_video(VideoCodec::Vp8, b);
  EXPECT_TRUE(v->is_key_frame_start);
  EXPECT_TRUE(v->is_discardable);
  EXPECT_EQ(v->temporal_layer, 2);
}

TEST(Vp8, takes_a_later_packet_of_a_key_frame_for_no_start) {
  auto d = picture(1, 1);
  d.is_partition_start = false;
  EXPECT_FALSE(parse_vp8(key_frame(d, 640, 360))->is_key_frame);
  d.is_partition_start = true;
  d.partition = 1;
  EXPECT_FALSE(parse_vp8(key_frame(d, 640, 360))->is_key_frame);
}

TEST(Vp8, reads_short_picture_ids_and_bare_descriptors) {
  const core::Buffer small{0x90, 0x80, 0x7f, 0x01};
  EXPECT_EQ(parse_vp8(small)->descriptor.picture_id, 0x7f);
  EXPECT_EQ(parse_vp8(small)->descriptor.size, 3);
  const core::Buffer bare{0x10, 0x01};
  EXPECT_EQ(parse_vp8(bare)->descriptor.size, 1);
  EXPECT_FALSE(parse_vp8(bare)->descriptor.picture_id);
}

TEST(Vp8, refuses_a_descriptor_without_payload) {
  const core::Buffer full{0x90, 0xf0, 0x81, 0x23, 0x45, 0x67, 0x00};
  EXPECT_TRUE(parse_vp8(full));
  for (size_t n = 0; n < full.size(); ++n) EXPECT_FALSE(parse_vp8(core::Bytes(full).first(n))) << n;
}

TEST(Vp8, rewrites_numbers_in_place) {
  auto b = key_frame(picture(5, 6), 320, 180);
  rewrite_vp8(b, parse_vp8(b)->descriptor, 0x1234, 77);
  const auto p = parse_vp8(b);
  EXPECT_EQ(p->descriptor.picture_id, 0x1234);
  EXPECT_EQ(p->descriptor.tl0_picture_index, 77);
  EXPECT_EQ(p->width, 320);
}

TEST(Vp8Rewriter, continues_after_a_switch_where_the_last_source_ended) {
  Vp8Rewriter r;
  EXPECT_EQ(r.map(picture(100, 10))->picture_id, 100);
  EXPECT_EQ(r.map(picture(101, 11))->picture_id, 101);
  r.begin_source();
  const auto first = r.map(picture(0x7fff, 255));
  EXPECT_EQ(first->picture_id, 102);
  EXPECT_EQ(first->tl0_picture_index, 12);
  const auto wrapped = r.map(picture(0, 0));
  EXPECT_EQ(wrapped->picture_id, 103);
  EXPECT_EQ(wrapped->tl0_picture_index, 13);
}

TEST(Vp8Rewriter, closes_the_gap_of_dropped_pictures_only) {
  Vp8Rewriter r;
  r.map(picture(10, 1));
  r.drop(picture(11, 1, 1));
  r.drop(picture(11, 1, 1));  // its second packet
  EXPECT_EQ(r.map(picture(12, 2))->picture_id, 11);
  EXPECT_FALSE(r.map(picture(11, 1, 1)));
  // 13 is late or lost: its number stays free.
  EXPECT_EQ(r.map(picture(14, 3))->picture_id, 13);
  EXPECT_EQ(r.map(picture(13, 3))->picture_id, 12);
  EXPECT_EQ(r.map(picture(14, 3))->picture_id, 13);
}

TEST(Vp8Rewriter, wraps_both_counters) {
  Vp8Rewriter r;
  uint16_t last = r.map(picture(0x7ff0, 250))->picture_id;
  uint8_t tl0 = 250;
  for (uint32_t i = 1; i < 100'000; ++i) {
    const auto id = static_cast<uint16_t>((0x7ff0 + i) & 0x7fff);
    const auto n = r.map(picture(id, static_cast<uint8_t>(250 + i)));
    ASSERT_TRUE(n);
    ASSERT_EQ(n->picture_id, (last + 1) & 0x7fff);
    ASSERT_EQ(n->tl0_picture_index, static_cast<uint8_t>(tl0 + 1));
    last = n->picture_id;
    tl0 = n->tl0_picture_index;
  }
}

TEST(Vp8Rewriter, does_not_pass_what_came_before_the_switch_or_long_ago) {
  Vp8Rewriter r;
  r.map(picture(500, 1));
  r.begin_source();
  r.map(picture(1000, 1));
  EXPECT_FALSE(r.map(picture(999, 0)));
  for (uint16_t i = 1; i < 100; ++i) r.map(picture(static_cast<uint16_t>(1000 + i), 2));
  EXPECT_FALSE(r.map(picture(1010, 2)));
  EXPECT_TRUE(r.map(picture(1090, 2)));
}

TEST(Vp8Rewriter, passes_sources_without_picture_ids) {
  Vp8Rewriter r;
  Vp8Descriptor bare{.is_partition_start = true};
  EXPECT_TRUE(r.map(bare));
  EXPECT_TRUE(r.map(bare));
  r.begin_source();
  EXPECT_TRUE(r.map(picture(77, 1)));
}

// 640x360 baseline, as x264 and libwebrtc's OpenH264 write it: profile 66, level 30, frame crop of 8 lines.
const core::Buffer kSps{0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11};

/// A parameter set bit by bit, as ITU-T H.264 section 7.3.2.1.1 has it.
class SpsWriter {
 public:
  explicit SpsWriter(uint32_t profile) { put(profile, 8).put(0, 8).put(30, 8); }
  SpsWriter& put(uint32_t v, int n) {
    for (int i = n - 1; i >= 0; --i) bits_.push_back((v >> i & 1) != 0);
    return *this;
  }
  SpsWriter& ue(uint32_t v) {
    int n = 0;
    while (((v + 1) >> (n + 1)) != 0) ++n;
    return put(0, n).put(v + 1, n + 1);
  }
  SpsWriter& se(int32_t v) { return ue(static_cast<uint32_t>(v > 0 ? 2 * v - 1 : -2 * v)); }
  /// With the bytes that keep start codes out (section 7.4.1).
  core::Buffer done() {
    put(0, 1).put(1, 1);
    core::Buffer b{0x67};
    int zeros = 0;
    for (size_t i = 0; i < bits_.size(); i += 8) {
      uint8_t v = 0;
      for (size_t k = 0; k < 8 && i + k < bits_.size(); ++k)
        v = static_cast<uint8_t>(v | bits_[i + k] << (7 - k));
      if (zeros >= 2 && v <= 3) b.push_back(3), zeros = 0;
      zeros = v == 0 ? zeros + 1 : 0;
      b.push_back(v);
    }
    return b;
  }

 private:
  std::vector<bool> bits_;
};

core::Buffer make_sps(uint32_t width_mbs, uint32_t height_mbs, uint32_t crop_bottom) {
  SpsWriter w(66);
  w.ue(0).ue(0).ue(2).ue(1).put(0, 1);
  w.ue(width_mbs - 1).ue(height_mbs - 1).put(1, 1).put(1, 1);
  w.put(crop_bottom != 0, 1);
  if (crop_bottom != 0) w.ue(0).ue(0).ue(0).ue(crop_bottom);
  return w.done();
}

TEST(H264, reads_the_size_from_the_parameter_set) {
  const auto size = parse_h264_sps(make_sps(40, 23, 4));
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 640);
  EXPECT_EQ(size->height, 360);
  const auto full = parse_h264_sps(make_sps(80, 45, 0));
  EXPECT_EQ(full->width, 1280);
  EXPECT_EQ(full->height, 720);
  const auto whole = make_sps(40, 23, 4);
  for (size_t n = 0; n < 6; ++n) EXPECT_FALSE(parse_h264_sps(core::Bytes(whole).first(n)));
}

TEST(H264, reads_the_size_behind_scaling_lists_a_picture_order_of_cycles_and_fields) {
  SpsWriter w(100);
  w.ue(0).ue(1).ue(0).ue(0).put(0, 1).put(1, 1);
  w.put(1, 1);
  for (int i = 0; i < 16; ++i) w.se(i % 2 == 0 ? 3 : -3);  // all of a 4x4 list
  for (int list = 1; list < 7; ++list) w.put(0, 1);
  w.put(1, 1).se(-8);  // an 8x8 list that says "as the default"
  w.ue(0);
  w.ue(1).put(0, 1).se(-2).se(1).ue(2).se(4).se(-4);
  w.ue(1).put(0, 1);
  w.ue(119).ue(33).put(0, 1).put(0, 1).put(1, 1);
  w.put(1, 1).ue(0).ue(0).ue(0).ue(2);
  const auto size = parse_h264_sps(w.done());
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 1920);
  EXPECT_EQ(size->height, 1080);
}

TEST(H264, cuts_by_single_samples_where_each_has_its_own_colour) {
  SpsWriter w(244);
  w.ue(0).ue(3).put(0, 1).ue(0).ue(0).put(0, 1).put(1, 1).put(0, 12);
  w.ue(0).ue(2).ue(1).put(0, 1).ue(39).ue(22).put(1, 1).put(1, 1);
  w.put(1, 1).ue(5).ue(6).ue(7).ue(8);
  const auto size = parse_h264_sps(w.done());
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 640 - 11);
  EXPECT_EQ(size->height, 368 - 15);
}

TEST(H264, leaves_out_the_byte_that_keeps_a_start_code_away) {
  SpsWriter w(66);
  // 27 zero bits: three whole bytes of them, of which the third may not follow the other two.
  w.ue((1u << 27) - 1).ue(0).ue(2).ue(1).put(0, 1).ue(39).ue(22).put(1, 1).put(1, 1).put(0, 1);
  const core::Buffer sps = w.done();
  const uint8_t kept_away[] = {0, 0, 3};
  ASSERT_NE(std::search(sps.begin(), sps.end(), std::begin(kept_away), std::end(kept_away)), sps.end());
  const auto size = parse_h264_sps(sps);
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 640);
  EXPECT_EQ(size->height, 368);
}

TEST(H264, refuses_sizes_beyond_any_and_numbers_without_end) {
  EXPECT_FALSE(parse_h264_sps(make_sps(1025, 23, 0)));
  EXPECT_FALSE(parse_h264_sps(make_sps(40, 1025, 0)));
  EXPECT_FALSE(parse_h264_sps(make_sps(40, 23, 184)));  // all of it cut away
  core::Buffer sps = make_sps(40, 23, 0);
  sps.resize(4);
  sps.insert(sps.end(), 12, 0);  // more than 31 zeros announce no number
  EXPECT_FALSE(parse_h264_sps(sps));
}

TEST(H264, finds_a_key_frame_in_single_aggregated_and_fragmented_units) {
  EXPECT_TRUE(parse_h264(kSps)->is_key_frame_start());
  const core::Buffer idr{0x65, 1, 2}, slice{0x41, 1, 2};
  EXPECT_TRUE(parse_h264(idr)->is_key_frame_start());
  EXPECT_FALSE(parse_h264(slice)->is_key_frame_start());
  EXPECT_TRUE(parse_h264(slice)->starts_slice);

  const auto sps = make_sps(40, 23, 4);
  core::Buffer stap{0x78, 0, static_cast<uint8_t>(sps.size())};
  stap.insert(stap.end(), sps.begin(), sps.end());
  for (const int b : {0, 2, 0x68, 0xce}) stap.push_back(static_cast<uint8_t>(b));
  const auto p = parse_h264(stap);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->packing, H264Packing::StapA);
  EXPECT_TRUE(p->has_sps && p->has_pps && !p->has_idr);
  EXPECT_EQ(p->width, 640);

  const core::Buffer start{0x7c, 0x85, 1}, middle{0x7c, 0x05, 1}, end{0x7c, 0x45, 1}, both{0x7c, 0xc5, 1};
  EXPECT_TRUE(parse_h264(start)->has_idr);
  EXPECT_FALSE(parse_h264(middle)->is_key_frame_start());
  EXPECT_TRUE(parse_h264(end)->is_fragment_end);
  EXPECT_FALSE(parse_h264(both));
}

TEST(H264, refuses_broken_aggregates_and_unknown_types) {
  const core::Buffer over{0x78, 0, 9, 0x67}, empty{0x78, 0, 0}, unknown{0x7e, 1, 2}, forbidden{0xe5, 1};
  EXPECT_FALSE(parse_h264(over));
  EXPECT_FALSE(parse_h264(empty));
  EXPECT_FALSE(parse_h264(unknown));
  EXPECT_FALSE(parse_h264(forbidden));
}

TEST(Video, knows_codecs_by_name) {
  EXPECT_EQ(video_codec_of("vp8"), VideoCodec::Vp8);
  EXPECT_EQ(video_codec_of("H264"), VideoCodec::H264);
  EXPECT_FALSE(video_codec_of("VP9"));
}

TEST(Video, says_the_same_of_h264_as_of_vp8) {
  const auto sps = inspect_video(VideoCodec::H264, make_sps(40, 23, 4));
  ASSERT_TRUE(sps);
  EXPECT_TRUE(sps->is_frame_start && sps->is_key_frame_start && !sps->is_discardable);
  EXPECT_EQ(sps->width, 640);
  EXPECT_EQ(sps->height, 360);
  const core::Buffer unreferenced{0x01, 1, 2}, referenced{0x41, 1, 2}, broken{0xe5, 1};
  EXPECT_TRUE(inspect_video(VideoCodec::H264, unreferenced)->is_discardable);
  EXPECT_FALSE(inspect_video(VideoCodec::H264, referenced)->is_discardable);
  EXPECT_FALSE(inspect_video(VideoCodec::H264, broken));
}

}  // namespace
}  // namespace huitang::codec
