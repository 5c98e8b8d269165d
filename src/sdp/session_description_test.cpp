#include "sdp/session_description.h"

#include <gtest/gtest.h>

#include <string>

#include "sdp/limits.h"

namespace huitang::sdp {
namespace {

constexpr const char* kHead = "v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
constexpr const char* kVideo = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\n";

SessionDescription parsed(const std::string& text) {
  auto result = parse_session_description(text);
  EXPECT_TRUE(result.has_value()) << (result ? "" : to_string(result.error()));
  return result ? std::move(*result) : SessionDescription();
}

MediaDescription video_with(const std::string& attributes) {
  auto session = parsed(std::string(kHead) + kVideo + attributes);
  return session.media.empty() ? MediaDescription() : session.media[0];
}

SdpError refused(const std::string& text) {
  auto result = parse_session_description(text);
  EXPECT_FALSE(result.has_value());
  return result ? SdpError() : result.error();
}

TEST(SessionDescription, keeps_origin_timing_and_unknown_attributes) {
  const auto session = parsed(std::string(kHead) + "a=msid-semantic: WMS *\r\na=rtcp-xr\r\n");
  EXPECT_EQ(session.origin.session_id, 42u);
  EXPECT_EQ(session.origin.session_version, 2u);
  EXPECT_EQ(session.timing, std::vector<std::string>{"0 0"});
  ASSERT_EQ(session.other.size(), 2u);
  EXPECT_EQ(session.other[0].value, " WMS *");
  EXPECT_FALSE(session.other[1].value.has_value());
}

TEST(SessionDescription, reads_line_ends_of_lf_as_well_as_crlf) {
  EXPECT_EQ(parsed("v=0\no=- 42 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n"), parsed(kHead));
}

TEST(SessionDescription, reads_every_attribute_of_jsep_into_its_place) {
  const auto media = video_with(
      "a=mid:1\r\na=sendonly\r\na=bundle-only\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=ice-ufrag:abcd\r\n"
      "a=ice-pwd:0123456789012345678901\r\na=ice-options:trickle ice2\r\na=fingerprint:SHA-256 0A:ff\r\n"
      "a=setup:actpass\r\na=extmap-allow-mixed\r\na=extmap:6/recvonly urn:x a b\r\na=msid:stream track\r\n"
      "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:* transport-cc\r\na=fmtp:97 apt=96\r\n"
      "a=rid:q send max-width=320\r\na=rid:f send\r\na=simulcast:send ~q,f;f\r\n"
      "a=ssrc-group:FID 1 4294967295\r\na=ssrc:1 cname:c:d\r\na=ssrc:2 flag\r\n"
      "a=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host generation 0\r\na=end-of-candidates\r\n");
  EXPECT_EQ(media.mid, "1");
  EXPECT_EQ(media.direction, Direction::SendOnly);
  EXPECT_TRUE(media.bundle_only && media.rtcp_mux && media.rtcp_rsize && media.extmap_allow_mixed);
  EXPECT_TRUE(media.end_of_candidates);
  EXPECT_EQ(media.transport.ice_options, (std::vector<std::string>{"trickle", "ice2"}));
  EXPECT_EQ(media.transport.fingerprints[0], (Fingerprint{"sha-256", {0x0a, 0xff}}));
  EXPECT_EQ(media.transport.setup, Setup::ActPass);
  EXPECT_EQ(media.extensions[0], (ExtMap{6, Direction::RecvOnly, "urn:x", "a b"}));
  EXPECT_EQ(media.msids[0], (Msid{"stream", "track"}));
  EXPECT_EQ(*media.find_rtpmap(96), (RtpMap{96, "VP8", 90000, 1}));
  EXPECT_EQ(media.feedback[0], (RtcpFeedback{96, "nack pli"}));
  EXPECT_EQ(media.feedback[1], (RtcpFeedback{std::nullopt, "transport-cc"}));
  EXPECT_EQ(media.fmtp_of(97), "apt=96");
  EXPECT_EQ(media.rids[0], (Rid{"q", RidDirection::Send, "max-width=320"}));
  ASSERT_EQ(media.simulcast->send.size(), 2u);
  EXPECT_EQ(media.simulcast->send[0], (std::vector<SimulcastId>{{"q", true}, {"f", false}}));
  EXPECT_EQ(media.ssrc_groups[0], (SsrcGroup{"FID", {1, 4294967295u}}));
  EXPECT_EQ(media.ssrcs[0], (SsrcAttribute{1, "cname", "c:d"}));
  EXPECT_EQ(media.ssrcs[1], (SsrcAttribute{2, "flag", std::nullopt}));
  EXPECT_EQ(media.candidates[0].transport, "udp");
  EXPECT_EQ(media.candidates[0].extensions, "generation 0");
  EXPECT_TRUE(media.other.empty());
}

TEST(SessionDescription, reads_reflexive_and_tcp_candidates) {
  const auto c = parse_candidate(
      "candidate:842163049 1 tcp 1677729535 fd00::1 9 typ srflx raddr 10.0.0.1 rport 0 tcptype active");
  ASSERT_TRUE(c.has_value());
  EXPECT_EQ(c->related_address, "10.0.0.1");
  EXPECT_EQ(c->related_port, 0);
  EXPECT_EQ(c->extensions, "tcptype active");
  EXPECT_EQ(*parse_candidate(write_candidate(*c)), *c);
}

TEST(SessionDescription, writes_what_it_read) {
  const std::string text =
      std::string(kHead) + "a=group:BUNDLE 0 1\r\na=ice-lite\r\na=group:LS 0 1\r\na=odd:  spaces kept \r\n" +
      kVideo + "b=AS:500\r\na=mid:0\r\na=rid:a recv pt=96;max-fps=30\r\na=simulcast:recv a send b,~c\r\n" +
      "a=ssrc:7 x:\r\n" + kVideo + "a=mid:1\r\na=inactive\r\n";
  const auto first = parsed(text);
  const std::string written = write_session_description(first);
  EXPECT_EQ(parsed(written), first);
  EXPECT_EQ(write_session_description(parsed(written)), written);
}

TEST(SessionDescription, says_which_line_is_wrong_and_why) {
  const auto error = refused(std::string(kHead) + kVideo + "a=rtpmap:96 VP8\r\n");
  EXPECT_EQ(error.line, 7u);
  EXPECT_EQ(error.code, SdpErrorCode::Malformed);
  EXPECT_EQ(to_string(error), "line 7: malformed: a=rtpmap is not PT NAME/CLOCK[/CHANNELS]");
}

class Refused : public testing::TestWithParam<const char*> {};

TEST_P(Refused, refuses_the_attribute) {
  const auto result = parse_session_description(std::string(kHead) + kVideo + GetParam() + "\r\n");
  ASSERT_FALSE(result.has_value()) << GetParam();
  EXPECT_EQ(result.error().line, 7u);
}

INSTANTIATE_TEST_SUITE_P(
    SessionDescription, Refused,
    testing::Values("a=", "a", "x=1", "a=mid", "a=mid:a b", "a=mid:12345678901234567", "a=ice-ufrag:abc",
                    "a=ice-pwd:short", "a=ice-ufrag:ab cd", "a=fingerprint:sha-256",
                    "a=fingerprint:sha-256 0", "a=fingerprint:sha-256 0g", "a=fingerprint:sha-256 00-11",
                    "a=setup:maybe", "a=rtpmap:128 VP8/90000", "a=rtpmap:96 VP8/0", "a=rtpmap:96 VP8/90000/0",
                    "a=rtpmap:96 VP8/99999999999", "a=fmtp:300 x", "a=rtcp-fb:96", "a=extmap:0 urn:x",
                    "a=extmap:1", "a=extmap:1/both urn:x", "a=extmap:65536 urn:x",
                    "a=ssrc:4294967296 cname:x", "a=ssrc:1", "a=ssrc-group:FID", "a=ssrc-group:FID 1 x",
                    "a=rid:q both", "a=rid:q! send", "a=simulcast:send", "a=simulcast:q",
                    "a=simulcast:send q;;h", "a=simulcast:send q send h",
                    "a=candidate:1 1 udp 1 192.0.2.1 70000 typ host",
                    "a=candidate:1 1 udp 1 192.0.2.1 5000 host", "a=msid:", "b=500", "c=", "v=0", "s=-",
                    "t=0 0", "m=video 9 UDP/TLS/RTP/SAVPF", "m=video x RTP/AVP 0"));

TEST(SessionDescription, refuses_a_session_part_that_is_out_of_order_or_unfinished) {
  EXPECT_EQ(refused("o=- 1 1 IN IP4 0.0.0.0\r\n").line, 1u);
  EXPECT_EQ(refused("v=0\r\ns=-\r\n").line, 2u);
  EXPECT_EQ(refused("").code, SdpErrorCode::Malformed);
  EXPECT_EQ(refused("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n").line, 4u);
  EXPECT_EQ(refused("v=1\r\n").code, SdpErrorCode::Unsupported);
}

TEST(SessionDescription, refuses_one_mid_on_two_sections) {
  const auto error = refused(std::string(kHead) + kVideo + "a=mid:0\r\n" + kVideo + "a=mid:0\r\n");
  EXPECT_EQ(error.line, 8u);
}

TEST(SessionDescription, refuses_more_than_each_cap) {
  const auto too_large = [](const std::string& text) { return refused(text).code == SdpErrorCode::TooLarge; };
  const auto times = [](size_t n, const std::string& line) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += line;
    return out;
  };
  const std::string head = kHead;
  EXPECT_TRUE(too_large(head + times(kMaxBytes / 4, "a=x\n")));
  EXPECT_TRUE(too_large(head + times(kMaxMediaSections + 1, kVideo)));
  EXPECT_TRUE(too_large(head + kVideo + times(kMaxAttributesPerSection + 1, "a=x\r\n")));
  EXPECT_TRUE(too_large(head + "a=" + std::string(kMaxLineBytes, 'x') + "\r\n"));
  EXPECT_TRUE(too_large(head + "m=video 9 P" + times(kMaxFormats + 1, " 1") + "\r\n"));
  EXPECT_TRUE(too_large(head + kVideo + times(kMaxCandidates + 1, "a=candidate:1 1 udp 1 a 1 typ host\r\n")));
  EXPECT_FALSE(too_large(head + kVideo + times(kMaxAttributesPerSection, "a=x\r\n") + "broken"));
}

TEST(SessionDescription, refuses_nul_and_carriage_return_inside_a_line) {
  using std::string_literals::operator""s;
  EXPECT_EQ(refused(kHead + "a=x:\0y\r\n"s).line, 5u);
  EXPECT_EQ(refused(kHead + "a=x:\ry\r\n"s).line, 5u);
}

}  // namespace
}  // namespace huitang::sdp
