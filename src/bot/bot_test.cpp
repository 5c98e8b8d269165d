#include <gtest/gtest.h>

#include "bot/audio_source.h"
#include "bot/bot_runner.h"
#include "bot/participant.h"
#include "bot/video_source.h"
#include "codec/opus.h"
#include "codec/red.h"
#include "codec/vp8.h"
#include "media/mark.h"

namespace huitang::bot {
namespace {

constexpr core::Instant at_ms(int64_t ms) { return core::Instant::from_nanos(ms * 1'000'000); }

TEST(ConferenceLink, reads_host_port_number_and_invite) {
  const auto link = parse_conference_link("https://[2001:db8::1]:8443/j/123456789#invite=abc");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->url.host, "2001:db8::1");
  EXPECT_EQ(link->url.port, "8443");
  EXPECT_EQ(link->number, "123456789");
  EXPECT_EQ(link->invite, "abc");
  EXPECT_EQ(parse_conference_link("https://meet.example/j/1")->url.port, "443");
  EXPECT_FALSE(parse_conference_link("http://meet.example/j/1"));
  EXPECT_FALSE(parse_conference_link("https://meet.example/x/1"));
}

TEST(AudioSource, claps_in_the_first_tenth_of_each_second) {
  AudioSource source({.tone_hertz = 600, .has_clap = true});
  int voiced = 0;
  for (int i = 0; i < 100; ++i) {
    const auto frame = source.make_frame(AudioSource::kFrame * i, static_cast<uint32_t>(960 * i));
    ASSERT_TRUE(frame);
    EXPECT_EQ(codec::parse_opus(frame->payload)->duration, AudioSource::kFrame);
    EXPECT_EQ(frame->level.voice, i % 50 < 5) << i;
    voiced += frame->level.voice;
  }
  EXPECT_EQ(voiced, 10);
}

TEST(AudioSource, wraps_into_red_with_the_frame_before) {
  AudioSource source({.red_inner = uint8_t{111}});
  source.make_frame({}, 0);
  const auto frame = source.make_frame(AudioSource::kFrame, 960);
  const auto red = codec::parse_red(frame->payload);
  ASSERT_TRUE(red);
  ASSERT_EQ(red->count, 2);
  EXPECT_EQ(red->blocks[0].timestamp_offset, 960);
  EXPECT_EQ(red->newest().payload_type, 111);
}

TEST(VideoSource, begins_each_returning_layer_with_a_key_frame) {
  VideoSource source(
      {.name = "A",
       .mark = 5,
       .layers = {{{160, 90}, core::Bitrate::kbps(80)}, {{320, 180}, core::Bitrate::kbps(200)}}});
  const auto is_key = [&](size_t layer, int i) {
    const auto payloads = source.make_frame(layer, {core::Duration::millis(67 * i), "00:00:00"});
    return !payloads.empty() && codec::parse_vp8(payloads.front())->is_key_frame;
  };
  EXPECT_TRUE(is_key(0, 0) && is_key(1, 0));
  EXPECT_FALSE(is_key(0, 1) || is_key(1, 1));
  source.set_active_layers(1);
  source.set_active_layers(2);
  EXPECT_FALSE(is_key(0, 2));
  EXPECT_TRUE(is_key(1, 2));
  source.request_key_frame(0);
  EXPECT_TRUE(is_key(0, 3));
  source.set_demand(1);
  EXPECT_TRUE(source.is_sent(0) && !source.is_sent(1));
  source.set_demand(3);
  EXPECT_EQ(source.sent_layers(), 2u);
  EXPECT_FALSE(is_key(0, 4));
  EXPECT_TRUE(is_key(1, 4));
}

class ParticipantTest : public testing::Test {
 protected:
  static const dtls::Identity& identity() {
    static const dtls::Identity id =
        dtls::Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000));
    return id;
  }
  v1::ClientMessage next() {
    auto m = participant.poll_message();
    EXPECT_TRUE(m);
    return m.value_or(v1::ClientMessage());
  }
  void welcome(bool resumed) {
    v1::ServerMessage m;
    m.mutable_welcome()->set_resume_token("token");
    m.mutable_welcome()->set_resumed(resumed);
    participant.handle_message(at_ms(0), m);
  }

  core::SeededRandom random{1};
  std::unique_ptr<srtp::Backend> backend = srtp::make_best_backend();
  Participant participant{at_ms(0),
                          {.number = "123456789", .media = {.name = "Bot"}},
                          BotServices{{identity(), *backend, random}, {}}};
};

TEST_F(ParticipantTest, greets_and_offers_the_lines_of_a_web_client) {
  participant.handle_socket_open(at_ms(0));
  EXPECT_EQ(next().hello().protocol(), 1u);
  welcome(false);
  const auto offer = next().offer();
  EXPECT_EQ(offer.number(), "123456789");
  EXPECT_FALSE(offer.new_peer());
  EXPECT_EQ(offer.lines_size(), 4 + 6 + 16 + 2);
  EXPECT_EQ(offer.lines(4).use(), v1::LINE_USE_AUDIO_SLOT);
  EXPECT_NE(offer.sdp().find("a=simulcast:send q;h;f"), std::string::npos);
}

TEST_F(ParticipantTest, ends_on_a_refusal_for_good_and_retries_a_passing_one) {
  participant.handle_socket_open(at_ms(0));
  next();
  welcome(false);
  next();
  v1::ServerMessage refused;
  refused.mutable_refused()->set_code(v1::REFUSAL_CODE_MEDIA_UNAVAILABLE);
  participant.handle_message(at_ms(0), refused);
  EXPECT_FALSE(participant.is_done());
  EXPECT_FALSE(participant.poll_message());
  participant.handle_deadline(at_ms(2000));
  EXPECT_TRUE(next().has_offer());
  refused.mutable_refused()->set_code(v1::REFUSAL_CODE_BOX_FULL);
  participant.handle_message(at_ms(2000), refused);
  EXPECT_TRUE(participant.is_done());
}

TEST_F(ParticipantTest, resumes_with_the_last_token) {
  participant.handle_socket_open(at_ms(0));
  next();
  welcome(false);
  next();
  participant.handle_socket_closed(at_ms(10));
  participant.handle_socket_open(at_ms(20));
  EXPECT_EQ(next().hello().resume_token(), "token");
}

}  // namespace
}  // namespace huitang::bot
