#include "sdp/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sdp/offer.h"

namespace huitang::sdp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

OfferConfig offer_config() {
  OfferConfig config;
  config.ice_ufrag = "bot1";
  config.ice_pwd = "botbotbotbotbotbotbotbot";
  config.fingerprint = {"sha-256", std::vector<uint8_t>(32, 0xab)};
  config.cname = "bot";
  config.audio_codecs = {Codec::Opus, Codec::Red};
  config.video_codecs = {Codec::Vp8, Codec::H264};
  config.lines = client_lines({.audio_slots = 2, .video_slots = 2, .share_slots = 1});
  return config;
}

// Lines of offer_config(): 0 mic, 1 camera, 2 screen, 3 screen audio, 4-5 audio, 6-7 video, 8 share.
AnswerConfig answer_config() {
  AnswerConfig config;
  config.ice_ufrag = "node";
  config.ice_pwd = "nodenodenodenodenodenode";
  config.fingerprint = {"sha-256", std::vector<uint8_t>(32, 0x01)};
  config.cname = "node-peer";
  config.candidates = {*parse_candidate("candidate:1 1 udp 2130706431 127.0.0.1 7000 typ host")};
  for (const char* mid : {"0", "1", "2", "3"}) config.lines.push_back({.mid = mid});
  for (uint32_t k = 0; k < 5; ++k) {
    const uint32_t slot = k < 4 ? k % 2 : k;
    config.lines.push_back({.mid = std::to_string(4 + k),
                            .role = LinePlan::Role::Slot,
                            .ssrc = 1000 + k,
                            .rtx_ssrc = k < 2 ? 0 : 2000 + k,
                            .stream = "pair-" + std::to_string(slot),
                            .track = "t" + std::to_string(k)});
  }
  return config;
}

Answer answered(const SessionDescription& offer, const AnswerConfig& config = answer_config()) {
  auto answer = make_answer(write_session_description(offer), config);
  EXPECT_TRUE(answer.has_value()) << (answer ? "" : to_string(answer.error()));
  return answer ? std::move(*answer) : Answer();
}

SdpError refused(const SessionDescription& offer, const AnswerConfig& config = answer_config()) {
  auto answer = make_answer(write_session_description(offer), config);
  EXPECT_FALSE(answer.has_value());
  return answer ? SdpError() : answer.error();
}

TEST(Answer, takes_sources_recvonly_and_slots_sendonly_in_the_offered_order) {
  const Answer answer = answered(make_offer(offer_config()));
  ASSERT_EQ(answer.negotiated.lines.size(), 9u);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(answer.negotiated.lines[i].mid, std::to_string(i));
    EXPECT_EQ(answer.negotiated.lines[i].direction, i < 4 ? Direction::RecvOnly : Direction::SendOnly);
    EXPECT_FALSE(answer.negotiated.lines[i].rejected);
  }
  EXPECT_EQ(answer.description.groups[0].mids.size(), 9u);
}

TEST(Answer, speaks_of_the_transport_once_as_lite_and_passive) {
  const Answer answer = answered(make_offer(offer_config()));
  EXPECT_TRUE(answer.description.ice_lite);
  EXPECT_EQ(answer.description.media[0].transport.setup, Setup::Passive);
  EXPECT_EQ(answer.description.media[0].candidates.size(), 1u);
  EXPECT_EQ(answer.description.transport.fingerprints.size(), 1u) << "inherited by every section";
  EXPECT_EQ(answer.description.media[1].transport, TransportAttributes());
  EXPECT_EQ(answer.negotiated.remote.ice_ufrag, "bot1");
  EXPECT_EQ(answer.negotiated.remote.fingerprints[0].value.size(), 32u);
}

TEST(Answer, pairs_codecs_with_rtx_and_red_with_opus) {
  const Answer answer = answered(make_offer(offer_config()));
  const auto& audio = answer.negotiated.lines[0];
  EXPECT_EQ(audio.find_codec(Codec::Opus)->payload_type, kOfferOpus);
  EXPECT_EQ(audio.find_codec(Codec::Red)->red_inner, kOfferOpus);
  const auto& video = answer.negotiated.lines[1];
  EXPECT_EQ(video.find_codec(Codec::Vp8)->rtx_payload_type, kOfferVp8Rtx);
  EXPECT_EQ(video.find_codec(Codec::H264)->rtx_payload_type, kOfferH264Rtx);
  EXPECT_TRUE(video.find_codec(Codec::Vp8)->nack && video.find_codec(Codec::Vp8)->pli);
  EXPECT_TRUE(video.find_codec(Codec::Vp8)->transport_cc);
}

TEST(Answer, takes_only_constrained_baseline_h264_in_packetization_mode_1) {
  auto offer = make_offer(offer_config());
  const auto with_fmtp = [&](const char* parameters) {
    for (auto& media : offer.media)
      for (auto& fmtp : media.fmtps)
        if (fmtp.payload_type == kOfferH264) fmtp.parameters = parameters;
    return answered(offer).negotiated.lines[1].find_codec(Codec::H264) != nullptr;
  };
  EXPECT_TRUE(with_fmtp("profile-level-id=42e01f; packetization-mode=1"));
  EXPECT_FALSE(with_fmtp("profile-level-id=42e01f;packetization-mode=0"));
  EXPECT_FALSE(with_fmtp("profile-level-id=42001f;packetization-mode=1"));
  EXPECT_FALSE(with_fmtp("profile-level-id=64001f;packetization-mode=1"));
  EXPECT_FALSE(with_fmtp("packetization-mode=1"));
}

TEST(Answer, keeps_offered_extension_ids_and_turns_their_directions) {
  auto offer = make_offer(offer_config());
  for (auto& map : offer.media[1].extensions)
    if (map.uri == uri_of(HeaderExtension::Rid)) map.direction = Direction::SendOnly;
  for (auto& map : offer.media[1].extensions)
    if (map.uri == uri_of(HeaderExtension::PlayoutDelay)) map.direction = Direction::RecvOnly;
  offer.media[1].extensions.push_back({7, std::nullopt, "urn:unknown", {}});
  const Answer answer = answered(offer);
  const auto& ids = answer.negotiated.lines[1].extensions;
  EXPECT_EQ(ids.of(HeaderExtension::Mid), 4);
  EXPECT_EQ(ids.of(HeaderExtension::Rid), 10);
  EXPECT_EQ(ids.of(HeaderExtension::PlayoutDelay), 0) << "the offerer does not send it";
  EXPECT_THAT(answer.text, HasSubstr("a=extmap:10/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"));
  EXPECT_THAT(answer.text, Not(HasSubstr("urn:unknown")));
  EXPECT_EQ(answer.negotiated.lines[6].extensions.of(HeaderExtension::PlayoutDelay), 5);
}

TEST(Answer, takes_extension_ids_above_14_only_with_mixed_headers) {
  auto offer = make_offer(offer_config());
  for (auto& media : offer.media)
    for (auto& map : media.extensions)
      if (map.uri == uri_of(HeaderExtension::Mid)) map.id = 20;
  EXPECT_EQ(answered(offer).negotiated.lines[0].extensions.of(HeaderExtension::Mid), 20);
  offer.extmap_allow_mixed = false;
  EXPECT_EQ(answered(offer).negotiated.lines[0].extensions.of(HeaderExtension::Mid), 0);
}

TEST(Answer, receives_simulcast_in_the_offered_order_and_keeps_pauses) {
  auto offer = make_offer(offer_config());
  offer.media[1].simulcast->send[2][0].paused = true;
  const Answer answer = answered(offer);
  EXPECT_THAT(answer.negotiated.lines[1].rids, ElementsAre("q", "h", "f"));
  EXPECT_THAT(answer.text, HasSubstr("a=simulcast:recv q;h;~f\r\n"));
  EXPECT_THAT(answer.text, HasSubstr("a=rid:h recv\r\n"));
}

TEST(Answer, caps_simulcast_layers) {
  auto config = answer_config();
  config.max_simulcast_layers = 2;
  EXPECT_THAT(answered(make_offer(offer_config()), config).negotiated.lines[1].rids, ElementsAre("q", "h"));
}

TEST(Answer, announces_stream_ssrc_and_rtx_of_each_slot) {
  const Answer answer = answered(make_offer(offer_config()));
  const auto& audio = answer.description.media[4];
  const auto& video = answer.description.media[6];
  EXPECT_THAT(audio.msids, ElementsAre(Msid{"pair-0", "t0"}));
  EXPECT_THAT(video.msids, ElementsAre(Msid{"pair-0", "t2"}));
  EXPECT_THAT(audio.ssrcs, ElementsAre(SsrcAttribute{1000, "cname", "node-peer"}));
  EXPECT_TRUE(audio.ssrc_groups.empty());
  EXPECT_THAT(video.ssrc_groups, ElementsAre(SsrcGroup{"FID", {1002, 2002}}));
}

TEST(Answer, reports_announced_ssrcs_of_sources_apart_from_their_rtx) {
  auto config = offer_config();
  config.lines[2].ssrc = 77;
  config.lines[2].rtx_ssrc = 78;
  const Answer answer = answered(make_offer(config));
  EXPECT_THAT(answer.negotiated.lines[2].remote_ssrcs, ElementsAre(77u));
  EXPECT_THAT(answer.negotiated.lines[2].remote_rtx, ElementsAre(std::pair<uint32_t, uint32_t>{77, 78}));
}

TEST(Answer, rejects_in_place_what_no_plan_names_and_what_it_cannot_play) {
  auto offer = make_offer(offer_config());
  MediaDescription data;
  data.kind = MediaKind::Application;
  data.kind_name = "application";
  data.protocol = "UDP/DTLS/SCTP";
  data.formats = {"webrtc-datachannel"};
  data.mid = "data";
  offer.media.insert(offer.media.begin() + 1, data);
  offer.groups[0].mids.push_back("data");
  offer.media[2].rtpmaps.clear();  // the camera: payload types that mean nothing to us
  const Answer answer = answered(offer);
  EXPECT_TRUE(answer.negotiated.lines[1].rejected);
  EXPECT_TRUE(answer.negotiated.lines[2].rejected);
  EXPECT_THAT(answer.text, HasSubstr("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
  EXPECT_EQ(answer.description.media[2].port, 0);
  EXPECT_THAT(answer.description.groups[0].mids, Not(testing::Contains("data")));
  EXPECT_THAT(answer.description.groups[0].mids, Not(testing::Contains("1")));
}

TEST(Answer, takes_bundle_only_sections_of_port_zero) {
  auto offer = make_offer(offer_config());
  for (size_t i = 1; i < offer.media.size(); ++i) {
    offer.media[i].port = 0;
    offer.media[i].bundle_only = i != 2;
  }
  const Answer answer = answered(offer);
  EXPECT_FALSE(answer.negotiated.lines[1].rejected);
  EXPECT_TRUE(answer.negotiated.lines[2].rejected) << "port 0 without bundle-only";
}

TEST(Answer, reads_credentials_and_fingerprint_from_the_session_part_too) {
  auto offer = make_offer(offer_config());
  offer.transport = offer.media[0].transport;
  for (auto& media : offer.media) media.transport = {};
  EXPECT_EQ(answered(offer).negotiated.remote.ice_pwd, "botbotbotbotbotbotbotbot");
}

TEST(Answer, refuses_offers_it_cannot_serve_and_says_why) {
  const auto offer = make_offer(offer_config());
  auto bad = offer;
  bad.groups.clear();
  EXPECT_THAT(refused(bad).reason, HasSubstr("BUNDLE"));
  bad = offer;
  bad.media[0].rtcp_mux = false;
  EXPECT_THAT(refused(bad).reason, HasSubstr("rtcp-mux"));
  bad = offer;
  bad.media[0].transport.setup = Setup::Passive;
  EXPECT_THAT(refused(bad).reason, HasSubstr("DTLS client"));
  bad = offer;
  bad.media[0].transport.fingerprints.clear();
  EXPECT_THAT(refused(bad).reason, HasSubstr("fingerprint"));
  bad = offer;
  bad.media[0].transport.ice_pwd.clear();
  EXPECT_THAT(refused(bad).reason, HasSubstr("ICE"));
  bad = offer;
  bad.ice_lite = true;
  EXPECT_THAT(refused(bad).reason, HasSubstr("ICE-lite"));
  bad = offer;
  bad.media[0].direction = Direction::RecvOnly;
  EXPECT_EQ(refused(bad).code, SdpErrorCode::Mismatch);
  EXPECT_EQ(refused(bad).line, 7u) << "the m= line of the section";
  bad = offer;
  bad.media[4].direction = Direction::SendOnly;
  EXPECT_EQ(refused(bad).code, SdpErrorCode::Mismatch);
  bad = offer;
  bad.media[3].rtpmaps[0].encoding = "PCMU";
  EXPECT_THAT(refused(bad).reason, HasSubstr("two codecs"));
  bad = offer;
  bad.media[3].extensions[0].uri = "urn:x";
  EXPECT_THAT(refused(bad).reason, HasSubstr("two extensions"));
  auto config = answer_config();
  config.lines.push_back({.mid = "99"});
  EXPECT_EQ(refused(offer, config).code, SdpErrorCode::Mismatch);
  config.lines.clear();
  EXPECT_EQ(refused(offer, config).code, SdpErrorCode::Unsupported);
}

TEST(Answer, is_the_same_text_for_the_same_offer) {
  const auto offer = make_offer(offer_config());
  EXPECT_EQ(answered(offer).text, answered(offer).text);
}

TEST(Offer, of_a_client_has_sources_first_and_then_the_slots) {
  const auto lines = client_lines({});
  ASSERT_EQ(lines.size(), 28u);
  EXPECT_EQ(lines[1].rids.size(), 3u);
  EXPECT_EQ(lines[4].use, LineUse::AudioSlot);
  EXPECT_EQ(lines[10].use, LineUse::VideoSlot);
  EXPECT_EQ(lines[27].use, LineUse::ShareSlot);
  EXPECT_EQ(lines[27].index, 1u);
  EXPECT_EQ(lines[27].mid, "27");
}

TEST(ReadAnswer, tells_the_offerer_what_the_node_sends_on_which_slot) {
  const auto offer = make_offer(offer_config());
  const auto read = read_answer(offer, answered(offer).text);
  ASSERT_TRUE(read.has_value()) << to_string(read.error());
  EXPECT_TRUE(read->remote.ice_lite);
  EXPECT_EQ(read->remote.setup, Setup::Passive);
  EXPECT_EQ(read->remote.candidates.size(), 1u);
  EXPECT_EQ(read->lines[0].direction, Direction::SendOnly);
  EXPECT_THAT(read->lines[1].rids, ElementsAre("q", "h", "f"));
  EXPECT_EQ(read->lines[6].direction, Direction::RecvOnly);
  EXPECT_THAT(read->lines[6].remote_ssrcs, ElementsAre(1002u));
  EXPECT_EQ(read->lines[6].remote_msids[0].stream, "pair-0");
  EXPECT_EQ(read->lines[6].codecs[0].rtx_payload_type, kOfferVp8Rtx);
}

TEST(ReadAnswer, refuses_what_does_not_fit_the_offer) {
  const auto offer = make_offer(offer_config());
  const Answer good = answered(offer);
  const auto refusal = [&](auto change) {
    auto description = good.description;
    change(description);
    const auto read = read_answer(offer, write_session_description(description));
    return read ? std::string("taken") : std::string(read.error().reason);
  };
  EXPECT_THAT(refusal([](auto& d) { d.media.pop_back(); }), HasSubstr("number of media"));
  EXPECT_THAT(refusal([](auto& d) { d.media[0].mid = "x"; }), HasSubstr("mid"));
  EXPECT_THAT(refusal([](auto& d) { d.media[0].direction = Direction::SendRecv; }), HasSubstr("direction"));
  EXPECT_THAT(refusal([](auto& d) { d.media[0].formats = {"5"}; }), HasSubstr("payload type"));
  EXPECT_THAT(refusal([](auto& d) { d.media[0].transport.setup = Setup::ActPass; }), HasSubstr("setup"));
  EXPECT_THAT(refusal([](auto& d) { d.media[0].transport.ice_ufrag.clear(); }), HasSubstr("ICE"));
  EXPECT_EQ(refusal([](auto&) {}), "taken");
}

}  // namespace
}  // namespace huitang::sdp
