// The rate that an allocation counts with.
#include "sfu/layer_meter.h"

#include <gtest/gtest.h>

namespace huitang::sfu {
namespace {

using core::Bitrate;
using core::Duration;
using core::Instant;

/// 25 frames a second of one layer.
struct Stream {
  LayerMeter meter;
  Instant now = Instant::from_nanos(5'000'000'000);
  uint32_t timestamp = 0;

  void frame(size_t bytes, bool is_key = false) {
    for (bool first = true; bytes != 0; first = false) {
      const size_t packet = std::min<size_t>(bytes, 1000);
      meter.handle_packet(now, packet - static_cast<size_t>(LayerMeter::kOverhead), timestamp,
                          is_key && first);
      bytes -= packet;
    }
    timestamp += 3600;
    now += Duration::millis(40);
  }
  void run(Duration span, size_t bytes) {
    for (const Instant end = now + span; now < end;) frame(bytes);
  }
  double kbps() const { return static_cast<double>(meter.rate().to_bps()) / 1000; }
};

TEST(LayerMeter, knows_a_steady_rate_after_half_a_second) {
  Stream s;
  s.run(Duration::millis(400), 2500);
  EXPECT_EQ(s.meter.rate(), Bitrate());
  s.run(Duration::millis(200), 2500);
  EXPECT_NEAR(s.kbps(), 500, 60);
  s.run(Duration::seconds(20), 2500);
  EXPECT_NEAR(s.kbps(), 500, 60);
}

TEST(LayerMeter, a_key_frame_moves_it_little_and_a_sender_of_key_frames_is_counted_whole) {
  Stream s;
  s.run(Duration::seconds(12), 2500);
  const double before = s.kbps();
  s.frame(40'000, true);
  s.run(Duration::seconds(6), 2500);
  EXPECT_LT(s.kbps(), before * 1.2);
  for (int i = 0; i < 1000; ++i) s.frame(2500, true);
  EXPECT_NEAR(s.kbps(), 500, 60);
}

TEST(LayerMeter, a_picture_that_stands_still_keeps_its_rate_for_some_seconds) {
  Stream s;
  s.run(Duration::seconds(12), 2500);
  s.run(Duration::seconds(4), 200);
  EXPECT_GT(s.kbps(), 450);
  s.run(Duration::seconds(8), 200);
  EXPECT_NEAR(s.kbps(), 40, 10);
  s.run(Duration::seconds(1), 2500);
  EXPECT_GT(s.kbps(), 350) << "up within a second";
}

TEST(LayerMeter, after_a_silence_the_last_rate_counts_until_there_is_a_new_one) {
  Stream s;
  s.run(Duration::seconds(12), 2500);
  s.now += Duration::seconds(60);
  EXPECT_GT(s.kbps(), 450);
  s.run(Duration::seconds(2), 500);
  EXPECT_GT(s.kbps(), 450);
  s.run(Duration::seconds(10), 500);
  EXPECT_NEAR(s.kbps(), 100, 20);
}

TEST(LayerMeter, a_successor_begins_with_the_rate_of_its_predecessor) {
  Stream s;
  s.meter.restore(Bitrate::kbps(700));
  EXPECT_EQ(s.meter.rate(), Bitrate::kbps(700));
  s.run(Duration::seconds(2), 2500);
  EXPECT_EQ(s.meter.rate(), Bitrate::kbps(700));
  s.run(Duration::seconds(10), 2500);
  EXPECT_NEAR(s.kbps(), 500, 60);
}

}  // namespace
}  // namespace huitang::sfu
