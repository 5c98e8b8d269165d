// A Peer against a real client (ICE, DTLS, SRTP) over a virtual network.
#include "peer/peer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "peer/allocation_count.h"
#include "peer/test_client.h"
#include "rtp/rtcp.h"

namespace huitang::peer {
namespace {

using test::Client;
using test::kClient;
using test::kNode;
using test::kStranger;
using test::World;
using Packet = test::Client::Packet;
using core::Buffer;
using core::Bytes;
using core::Duration;

const ReceivedRtp& rtp_of(const Received& r) {
  static const ReceivedRtp kNone{};
  const auto* rtp = std::get_if<ReceivedRtp>(&r);
  EXPECT_NE(rtp, nullptr);
  return rtp ? *rtp : kNone;
}

bool is_nothing(const Received& r) { return std::holds_alternative<std::monostate>(r); }

Packet camera(uint8_t layer, uint16_t number) {
  static const char* const kRids[] = {"q", "h", "f"};
  Packet p;
  p.ssrc = test::kCameraSsrc + layer;
  p.payload_type = sdp::kOfferVp8;
  p.number = number;
  p.mid = "1";
  p.rid = kRids[layer];
  return p;
}

std::vector<PeerState> states(const World& world) {
  std::vector<PeerState> out;
  for (const auto& e : world.events_of<StateChanged>()) out.push_back(e.state);
  return out;
}

TEST(Peer, connects_with_gcm_and_says_so_step_by_step) {
  World world(1);
  ASSERT_TRUE(world.connect());
  EXPECT_EQ(states(world), (std::vector{PeerState::Connecting, PeerState::Connected}));
  const auto s = world.peer.snapshot();
  EXPECT_EQ(s.srtp_profile, crypto::SrtpProfile::AeadAes128Gcm);
  EXPECT_EQ(s.destination, kClient);
  EXPECT_EQ(s.offers, 1u);
  ASSERT_EQ(world.events_of<FragmentAdded>().size(), 1u);
  EXPECT_EQ(world.events_of<FragmentAdded>()[0].ufrag, s.ice.ufrag);
  ASSERT_EQ(world.events_of<AddressAdded>().size(), 1u);
  EXPECT_EQ(world.events_of<AddressAdded>()[0].address, kClient);
}

TEST(Peer, connects_and_carries_media_under_loss_and_reordering) {
  for (uint64_t seed = 10; seed < 22; ++seed) {
    World world(seed);
    world.loss_per_mille = 150;
    world.jitter = Duration::millis(60);
    ASSERT_TRUE(world.connect()) << "seed " << seed;
    for (uint16_t n = 1; n <= 200; ++n) {
      world.send({kClient, kNode, world.client.seal(camera(static_cast<uint8_t>(n % 3), n))});
      const uint8_t header[12] = {0x80, 96, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
      Buffer out(200);
      out.resize(world.peer.seal_rtp(n, header, core::as_bytes("picture"), out));
      ASSERT_FALSE(out.empty());
      world.send({kNode, *world.peer.destination(), out});
      world.run(Duration::millis(5));
    }
    world.run(Duration::seconds(1));
    EXPECT_GT(world.media.size(), 130u) << "seed " << seed;
    EXPECT_GT(world.client.rtp_in.size(), 130u) << "seed " << seed;
    EXPECT_EQ(world.client.refused_in, 0u);
    EXPECT_EQ(world.peer.snapshot().counters.not_authentic, 0u);
    std::set<std::pair<uint32_t, uint16_t>> seen;
    for (const auto& m : world.media) {
      EXPECT_EQ(m.layer, m.ssrc - test::kCameraSsrc);
      EXPECT_TRUE(seen.insert({m.ssrc, m.number}).second);
    }
  }
}

// --- answers
// --------------------------------------------------------------------------------------------------

TEST(Peer, answers_with_its_slots_paired_for_lip_sync) {
  World world(2);
  ASSERT_TRUE(world.negotiate());
  EXPECT_EQ(world.peer.slots().size(), 24u);
  EXPECT_EQ(world.peer.sources().size(), 4u);
  std::set<uint32_t> ssrcs;
  for (const SlotLine& slot : world.peer.slots()) {
    const auto* line = world.client.negotiated.find_line(slot.line.mid);
    ASSERT_NE(line, nullptr);
    ASSERT_FALSE(line->rejected);
    EXPECT_EQ(line->remote_ssrcs, std::vector{slot.ssrc});
    EXPECT_TRUE(ssrcs.insert(slot.ssrc).second);
    if (slot.line.use == LineUse::AudioSlot) {
      EXPECT_EQ(slot.rtx_ssrc, 0u);
    } else {
      EXPECT_TRUE(ssrcs.insert(slot.rtx_ssrc).second);
      EXPECT_EQ(line->remote_rtx, (std::vector{std::pair{slot.ssrc, slot.rtx_ssrc}}));
    }
    ASSERT_EQ(line->remote_msids.size(), 1u);
  }
  const auto stream = [&](LineUse use, uint32_t index) {
    return world.client.negotiated.find_line(world.peer.find_slot(use, index)->line.mid)
        ->remote_msids[0]
        .stream;
  };
  EXPECT_EQ(stream(LineUse::AudioSlot, 3), "pair-3");
  EXPECT_EQ(stream(LineUse::VideoSlot, 3), "pair-3");
  EXPECT_EQ(stream(LineUse::VideoSlot, 6), "video-6");
  EXPECT_EQ(stream(LineUse::ShareSlot, 1), "share-1");
  EXPECT_EQ(world.peer.find_slot(LineUse::VideoSlot, 16), nullptr);
  EXPECT_EQ(world.peer.find_source(LineUse::Camera)->rids, (std::vector<std::string>{"q", "h", "f"}));
  EXPECT_NE(world.peer.extension_ids().mid, 0);
  EXPECT_NE(world.peer.extension_ids().transport_cc, 0);
}

TEST(Peer, answers_the_offers_of_the_installed_browsers) {
  for (const char* name :
       {"chromium-156-full", "chromium-156-pruned", "firefox-153-full", "firefox-153-pruned"}) {
    std::ifstream file("tests/golden/sdp/" + std::string(name) + ".offer.sdp");
    const std::string offer((std::istreambuf_iterator<char>(file)), {});
    ASSERT_FALSE(offer.empty()) << "run from the top of the source tree";
    World world(9);
    const auto answer = world.peer.handle_offer(world.now, offer, world.client.lines());
    ASSERT_TRUE(answer.has_value()) << name << ": " << answer.error().reason;
    EXPECT_EQ(world.peer.find_source(LineUse::Camera)->rids, (std::vector<std::string>{"q", "h", "f"}))
        << name;
    for (const SourceLine& source : world.peer.sources()) EXPECT_FALSE(source.is_rejected) << name;
    for (const SlotLine& slot : world.peer.slots()) EXPECT_FALSE(slot.is_rejected) << name;
    const auto streams = world.peer.snapshot().streams;  // microphone, screen with RTX, screen audio
    EXPECT_EQ(streams.size(), 4u) << name;
    EXPECT_EQ(std::count_if(streams.begin(), streams.end(), [](const InboundStream& s) { return s.is_rtx; }),
              1);
    // The same again is no restart, and changes nothing.
    const std::string ufrag = world.peer.snapshot().ice.ufrag;
    ASSERT_TRUE(world.peer.handle_offer(world.now, offer, world.client.lines()).has_value());
    EXPECT_EQ(world.peer.snapshot().ice.ufrag, ufrag) << name;
    EXPECT_EQ(world.peer.snapshot().streams, streams) << name;
  }
}

TEST(Peer, a_broken_first_offer_leaves_nothing_behind) {
  World world(3);
  const auto lines = world.client.lines();
  for (const std::string& text : {std::string(), std::string("v=0\r\n"), std::string(1000, 'x')}) {
    const auto answer = world.peer.handle_offer(world.now, text, lines);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, PeerErrorCode::BadOffer);
  }
  EXPECT_EQ(world.peer.snapshot().offers, 0u);
  EXPECT_TRUE(world.peer.sources().empty());
  EXPECT_FALSE(world.peer.poll_event().has_value());
  EXPECT_TRUE(world.connect());
}

TEST(Peer, refuses_lines_that_contradict_themselves_or_the_offer) {
  World world(4);
  const std::string offer = world.client.offer_text();
  const auto good = world.client.lines();
  const auto refused = [&](std::vector<Line> lines) {
    const auto answer = world.peer.handle_offer(world.now, offer, lines);
    return !answer.has_value() && answer.error().code == PeerErrorCode::BadLines;
  };
  EXPECT_TRUE(refused({}));
  auto lines = good;
  lines[1].mid = lines[0].mid;
  EXPECT_TRUE(refused(lines)) << "two lines with one mid";
  lines = good;
  lines[5] = {lines[5].mid, lines[4].use, lines[4].index};
  EXPECT_TRUE(refused(lines)) << "two lines with one use and index";
  lines = good;
  lines[0].mid = "nowhere";
  EXPECT_TRUE(refused(lines)) << "a mid that the offer has not";
  lines = good;
  std::swap(lines[0].use, lines[1].use);
  EXPECT_TRUE(refused(lines)) << "a microphone that is video";
  lines = good;
  lines[0].index = 1;
  EXPECT_TRUE(refused(lines)) << "a source with an index";
  lines = good;
  lines[0].use = static_cast<LineUse>(9);
  EXPECT_TRUE(refused(lines)) << "an unknown use";
  EXPECT_EQ(world.peer.snapshot().counters.refused_offers, 7u);
  EXPECT_TRUE(world.connect());
}

TEST(Peer, a_broken_later_offer_changes_nothing_for_a_running_connection) {
  World world(5);
  ASSERT_TRUE(world.connect());
  const auto before = world.peer.snapshot();
  const auto lines = world.client.lines();
  const std::string good = world.client.offer_text();
  std::vector<std::string> bad = {"", good.substr(0, good.size() / 2)};
  for (const char* needed : {"a=ice-pwd:", "a=fingerprint:", "a=rtcp-mux", "a=group:BUNDLE", "m=audio"}) {
    std::string text = good;
    for (size_t at; (at = text.find(needed)) != std::string::npos;)
      text.erase(at, text.find("\r\n", at) + 2 - at);
    bad.push_back(text);
  }
  for (const auto& text : bad) {
    EXPECT_FALSE(world.peer.handle_offer(world.now, text, lines).has_value());
  }
  auto fewer = lines;
  fewer.pop_back();
  EXPECT_EQ(world.peer.handle_offer(world.now, good, fewer).error().code, PeerErrorCode::LinesChanged);
  Client other(world.now, world.random, *world.backend);
  other.announced = &test::node_identity();
  EXPECT_EQ(world.peer.handle_offer(world.now, other.offer_text(), lines).error().code,
            PeerErrorCode::NewTransport);

  const auto after = world.peer.snapshot();
  EXPECT_EQ(after.offers, before.offers);
  EXPECT_EQ(after.lines, before.lines);
  EXPECT_EQ(after.ice.ufrag, before.ice.ufrag);
  EXPECT_FALSE(after.ice.is_restarting);
  world.media.clear();
  world.send({kClient, kNode, world.client.seal(camera(0, 1))});
  world.run(Duration::seconds(40));
  EXPECT_EQ(world.media.size(), 1u);
  EXPECT_EQ(world.peer.state(), PeerState::Connected);
}

TEST(Peer, the_same_offer_again_keeps_the_transport) {
  World world(6);
  ASSERT_TRUE(world.connect());
  const std::string ufrag = world.peer.snapshot().ice.ufrag;
  ASSERT_TRUE(world.negotiate());
  EXPECT_EQ(world.peer.snapshot().ice.ufrag, ufrag);
  EXPECT_EQ(world.peer.revision(), 2u);
  EXPECT_TRUE(world.peer.can_send());
}

TEST(Peer, grows_its_pool_and_leaves_what_was_there_in_place) {
  World world(7);
  ASSERT_TRUE(world.connect());
  const std::vector<SlotLine> before(world.peer.slots().begin(), world.peer.slots().end());
  // The client appends: what it had keeps mid, use and index.
  auto lines = world.client.lines();
  sdp::SessionDescription offer = world.client.offer();
  for (uint32_t i = 0; i < 12; ++i) {
    sdp::MediaDescription more = *offer.find_media(world.peer.find_slot(LineUse::VideoSlot, 0)->line.mid);
    more.mid = "x" + std::to_string(i);
    offer.media.push_back(more);
    offer.groups[0].mids.push_back(more.mid);
    lines.push_back({more.mid, LineUse::VideoSlot, 16 + i});
  }
  const auto answer = world.peer.handle_offer(world.now, sdp::write_session_description(offer), lines);
  ASSERT_TRUE(answer.has_value()) << answer.error().reason;
  ASSERT_EQ(world.peer.slots().size(), before.size() + 12);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(world.peer.slots()[i].line, before[i].line);
    EXPECT_EQ(world.peer.slots()[i].ssrc, before[i].ssrc);
    EXPECT_EQ(world.peer.slots()[i].rtx_ssrc, before[i].rtx_ssrc);
  }
  EXPECT_NE(world.peer.find_slot(LineUse::VideoSlot, 27), nullptr);
  EXPECT_TRUE(world.peer.can_send());
}

TEST(Peer, restarts_ice_while_media_flows_and_changes_address) {
  World world(8);
  ASSERT_TRUE(world.connect());
  const std::string old = world.peer.snapshot().ice.ufrag;
  world.client.ice.restart(world.now);
  world.address = {core::IpAddress::v4(10, 7, 7, 7), 1234};
  ASSERT_TRUE(world.negotiate());
  EXPECT_TRUE(world.peer.can_send());
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.peer.destination(), world.address);
  EXPECT_EQ(world.events_of<FragmentAdded>().size(), 2u);
  ASSERT_EQ(world.events_of<FragmentRetired>().size(), 1u);
  EXPECT_EQ(world.events_of<FragmentRetired>()[0].ufrag, old);
  EXPECT_EQ(states(world), (std::vector{PeerState::Connecting, PeerState::Connected}));
  world.send({world.address, kNode, world.client.seal(camera(1, 5))});
  world.run(Duration::millis(100));
  EXPECT_EQ(world.media.size(), 1u);  // the keys are the old ones
}

// --- what comes in
// --------------------------------------------------------------------------------------------

class ConnectedPeer : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(world.connect()); }
  Received receive(const Packet& packet) {
    bytes = world.client.seal(packet);
    return world.receive(kClient, bytes);
  }
  World world{30};
  Buffer bytes;  ///< what the last result points into
};

TEST_F(ConnectedPeer, knows_announced_streams_without_extensions) {
  Packet p;
  p.level = rtp::AudioLevel{true, 17};
  p.transport_number = 4711;
  const Received received = receive(p);
  const ReceivedRtp& rtp = rtp_of(received);
  EXPECT_EQ(rtp.use, LineUse::Microphone);
  EXPECT_EQ(world.peer.sources()[rtp.source].line.use, LineUse::Microphone);
  EXPECT_EQ(rtp.codec, sdp::Codec::Opus);
  EXPECT_EQ(rtp.audio_level, (rtp::AudioLevel{true, 17}));
  EXPECT_EQ(rtp.transport_number, 4711);
  EXPECT_EQ(rtp.arrived, world.now);
  EXPECT_EQ(core::as_text(rtp.packet.payload()), "payload");
  EXPECT_EQ(rtp.packet.header.sequence_number, 1);
}

TEST_F(ConnectedPeer, learns_simulcast_layers_by_rid_and_remembers_them) {
  for (uint8_t layer = 0; layer < 3; ++layer) {
    const Received first = receive(camera(layer, 1));
    EXPECT_EQ(rtp_of(first).layer, layer);
    EXPECT_EQ(rtp_of(first).use, LineUse::Camera);
    Packet bare = camera(layer, 2);
    bare.mid.clear();
    bare.rid.clear();
    const Received later = receive(bare);
    EXPECT_EQ(rtp_of(later).layer, layer);
    EXPECT_EQ(rtp_of(later).use, LineUse::Camera);
    EXPECT_EQ(rtp_of(later).codec, sdp::Codec::Vp8);
  }
}

TEST_F(ConnectedPeer, drops_streams_that_it_cannot_place) {
  Packet nameless = camera(0, 1);
  nameless.mid.clear();
  EXPECT_TRUE(is_nothing(receive(nameless)));
  Packet no_rid = camera(0, 2);
  no_rid.rid.clear();
  EXPECT_TRUE(is_nothing(receive(no_rid)));
  Packet wrong_rid = camera(0, 3);
  wrong_rid.rid = "z";
  EXPECT_TRUE(is_nothing(receive(wrong_rid)));
  Packet wrong_mid = camera(0, 4);
  wrong_mid.mid = "99";
  EXPECT_TRUE(is_nothing(receive(wrong_mid)));
  EXPECT_EQ(world.peer.snapshot().counters.unknown_stream, 4u);
  Packet slot = camera(0, 5);
  slot.mid = world.peer.find_slot(LineUse::VideoSlot, 0)->line.mid;
  EXPECT_TRUE(is_nothing(receive(slot))) << "a line on which the client does not send";
}

TEST_F(ConnectedPeer, drops_codecs_that_do_not_belong_to_the_line) {
  Packet unknown = camera(0, 1);
  unknown.payload_type = 77;
  EXPECT_TRUE(is_nothing(receive(unknown)));
  Packet sound = camera(0, 2);
  sound.payload_type = sdp::kOfferOpus;
  EXPECT_TRUE(is_nothing(receive(sound)));
  EXPECT_EQ(world.peer.snapshot().counters.unknown_codec, 2u);
}

TEST_F(ConnectedPeer, turns_retransmissions_back_into_the_original) {
  receive(camera(2, 700));
  Packet rtx = camera(2, 41);
  rtx.ssrc = test::kCameraRtxSsrc + 2;
  rtx.payload_type = sdp::kOfferVp8Rtx;
  rtx.rid.clear();
  rtx.repaired_rid = "f";
  rtx.payload = std::string("\x02\xbb", 2) + "lost picture";  // original number 699
  rtx.transport_number = 3;
  const Received received = receive(rtx);
  const ReceivedRtp& rtp = rtp_of(received);
  EXPECT_TRUE(rtp.is_retransmission);
  EXPECT_EQ(rtp.layer, 2);
  EXPECT_EQ(rtp.packet.header.ssrc, test::kCameraSsrc + 2);
  EXPECT_EQ(rtp.packet.header.sequence_number, 699);
  EXPECT_EQ(rtp.packet.header.payload_type, sdp::kOfferVp8);
  EXPECT_EQ(core::as_text(rtp.packet.payload()), "lost picture");
  EXPECT_EQ(rtp.transport_number, 3);
  // Announced by an FID group instead of an extension:
  Packet screen;
  screen.ssrc = test::kScreenSsrc;
  screen.payload_type = sdp::kOfferVp8;
  receive(screen);
  Packet repair = screen;
  repair.ssrc = test::kScreenRtxSsrc;
  repair.payload_type = sdp::kOfferVp8Rtx;
  repair.payload = std::string("\x00\x09", 2) + "text";
  const Received repaired = receive(repair);
  EXPECT_EQ(rtp_of(repaired).packet.header.ssrc, test::kScreenSsrc);
  EXPECT_EQ(rtp_of(repaired).packet.header.sequence_number, 9);
  EXPECT_EQ(rtp_of(repaired).use, LineUse::Screen);
}

TEST_F(ConnectedPeer, drops_retransmissions_without_an_original_and_counts_probes) {
  Packet rtx = camera(0, 1);
  rtx.ssrc = test::kCameraRtxSsrc;
  rtx.payload_type = sdp::kOfferVp8Rtx;
  rtx.repaired_rid = "q";
  rtx.rid.clear();
  EXPECT_TRUE(is_nothing(receive(rtx)));
  EXPECT_EQ(world.peer.snapshot().counters.unknown_stream, 1u);
  receive(camera(0, 1));
  rtx.payload.clear();
  rtx.padding = 200;
  rtx.number = 2;
  EXPECT_TRUE(is_nothing(receive(rtx)));
  EXPECT_EQ(world.peer.snapshot().counters.probes_in, 1u);
  rtx.padding = 0;
  rtx.payload = "x";  // shorter than the original's number
  rtx.number = 3;
  EXPECT_TRUE(is_nothing(receive(rtx)));
  EXPECT_EQ(world.peer.snapshot().counters.malformed, 1u);
}

TEST_F(ConnectedPeer, follows_a_layer_to_a_new_ssrc) {
  receive(camera(1, 1));
  Packet moved = camera(1, 1);
  moved.ssrc = 99'000;
  EXPECT_EQ(rtp_of(receive(moved)).layer, 1);
  EXPECT_EQ(world.peer.snapshot().streams.size(), 4u);  // microphone, screen and its RTX, this one
  for (uint32_t i = 0; i < 40; ++i) {
    moved.ssrc = 100'000 + i;
    receive(moved);
  }
  EXPECT_EQ(world.peer.snapshot().streams.size(), 4u);
}

TEST_F(ConnectedPeer, refuses_replays_and_forgeries) {
  const Buffer once = world.client.seal(camera(0, 1));
  Buffer copy = once;
  EXPECT_FALSE(is_nothing(world.receive(kClient, copy)));
  copy = once;
  EXPECT_TRUE(is_nothing(world.receive(kClient, copy)));
  copy = world.client.seal(camera(0, 2));
  copy.back() ^= 1;
  EXPECT_TRUE(is_nothing(world.receive(kClient, copy)));
  EXPECT_EQ(world.peer.snapshot().counters.not_authentic, 2u);
}

TEST_F(ConnectedPeer, gives_rtcp_as_it_is) {
  Buffer out(100);
  rtp::CompoundWriter writer(out);
  ASSERT_TRUE(writer.add_pli(1, world.peer.slots()[7].ssrc));
  Buffer sealed = world.client.seal_rtcp(writer.written());
  const Received r = world.receive(kClient, sealed);
  const auto* rtcp = std::get_if<ReceivedRtcp>(&r);
  ASSERT_NE(rtcp, nullptr);
  EXPECT_TRUE(std::equal(rtcp->packets.begin(), rtcp->packets.end(), writer.written().begin(),
                         writer.written().end()));
}

TEST_F(ConnectedPeer, gives_nothing_from_an_address_without_consent) {
  const auto before = world.peer.snapshot();
  Buffer media = world.client.seal(camera(0, 1));
  EXPECT_TRUE(is_nothing(world.receive(kStranger, media)));
  Buffer rtcp(8, 0);
  rtcp[0] = 0x80;
  rtcp[1] = 201;
  rtcp = world.client.seal_rtcp(rtcp);
  EXPECT_TRUE(is_nothing(world.receive(kStranger, rtcp)));
  // A fatal DTLS alert in clear, which would end an association that listened to it.
  Buffer alert = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};
  world.receive(kStranger, alert);
  // A check with somebody else's credentials.
  ice::FullAgent other(world.now, world.random);
  other.start(world.now, {{world.peer.snapshot().ice.ufrag, "0123456789012345678901"}, {{kNode, 1}}});
  Buffer check = other.poll_transmit()->bytes;
  world.receive(kStranger, check);

  const auto after = world.peer.snapshot();
  EXPECT_EQ(after.counters.unvalidated, 3u);
  EXPECT_EQ(after.srtp->opened, before.srtp->opened);
  EXPECT_EQ(after.dtls->counters.datagrams_in, before.dtls->counters.datagrams_in);
  EXPECT_EQ(after.ice.addresses.size(), 1u);
  EXPECT_EQ(after.state, PeerState::Connected);
  EXPECT_FALSE(world.peer.poll_transmit().has_value());
  // The replay window was not touched either: the same packet is good from the right address.
  media = world.client.seal(camera(0, 1));
  EXPECT_FALSE(is_nothing(world.receive(kClient, media)));
}

TEST_F(ConnectedPeer, drops_what_is_of_no_protocol) {
  for (const uint8_t first : {uint8_t{10}, uint8_t{70}, uint8_t{200}, uint8_t{255}}) {
    Buffer junk(50, first);
    EXPECT_TRUE(is_nothing(world.receive(kClient, junk)));
  }
  Buffer tiny(1, 0x80);
  EXPECT_TRUE(is_nothing(world.receive(kClient, tiny)));
  Buffer nothing;
  EXPECT_TRUE(is_nothing(world.receive(kClient, nothing)));
  EXPECT_EQ(world.peer.snapshot().counters.unclassified, 6u);
}

TEST_F(ConnectedPeer, tells_the_client_when_its_packets_arrived) {
  constexpr uint16_t kPackets = 300;
  for (uint16_t n = 0; n < kPackets; ++n) {
    Packet p = camera(0, n);
    p.transport_number = static_cast<uint16_t>(65'400 + n);  // wraps on the way
    if (n % 10 != 3) world.send({kClient, kNode, world.client.seal(p)});
    world.run(Duration::millis(4));
  }
  world.run(Duration::millis(500));
  std::set<uint16_t> reported;
  uint32_t messages = 0;
  for (const Buffer& compound : world.client.rtcp_in) {
    rtp::CompoundReader reader(compound);
    while (const auto packet = reader.next()) {
      const auto* feedback = std::get_if<rtp::TransportFeedbackView>(&*packet);
      ASSERT_NE(feedback, nullptr);
      EXPECT_EQ(feedback->sender_ssrc, world.peer.feedback_ssrc());
      ++messages;
      auto walker = feedback->walk();
      while (const auto status = walker.next()) {
        if (status->arrival) reported.insert(static_cast<uint16_t>(status->sequence - 65'400));
      }
    }
    EXPECT_FALSE(reader.failed());
  }
  EXPECT_EQ(reported.size(), kPackets - kPackets / 10);
  EXPECT_FALSE(reported.contains(13));
  EXPECT_GE(messages, 12u);  // 1.2 s at 50 to 100 ms
  EXPECT_LE(messages, 26u);
}

TEST_F(ConnectedPeer, allocates_nothing_for_media_in_either_direction) {
  receive(camera(0, 1));
  std::vector<Buffer> packets;
  for (uint16_t n = 2; n < 300; ++n) {
    Packet p = camera(static_cast<uint8_t>(n % 3), n);
    p.transport_number = n;
    p.payload = std::string(1000, 'v');
    packets.push_back(world.client.seal(p));
  }
  for (uint8_t layer = 0; layer < 3; ++layer)
    world.receive(kClient, packets[layer]);  // learns, may grow tables
  Buffer out(1500);
  const uint8_t header[12] = {0x80, 96};
  uint64_t opened = 0, sealed = 0, feedback = 0;
  const size_t before = test::allocation_count();
  for (size_t i = 3; i < packets.size(); ++i) {
    const Received r = world.peer.handle_datagram(world.now, kClient, packets[i]);
    opened += std::holds_alternative<ReceivedRtp>(r) ? 1 : 0;
    sealed += world.peer.seal_rtp(i, header, Bytes(packets[0]).first(900), out) != 0 ? 1 : 0;
    world.now += Duration::millis(1);
    feedback += world.peer.poll_feedback(world.now, out) != 0 ? 1 : 0;
    EXPECT_TRUE(world.peer.deadline().has_value());
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_EQ(opened, packets.size() - 3);
  EXPECT_EQ(sealed, packets.size() - 3);
  EXPECT_GT(feedback, 2u);
}

// --- life and death
// -------------------------------------------------------------------------------------------

TEST(Peer, loses_and_regains_its_client) {
  World world(40);
  ASSERT_TRUE(world.connect());
  world.is_cut = true;
  world.run(Duration::seconds(37));
  EXPECT_EQ(world.peer.state(), PeerState::Disconnected);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::ConsentLost);
  EXPECT_FALSE(world.peer.can_send());
  EXPECT_EQ(world.peer.sealer(), nullptr);
  EXPECT_EQ(world.events_of<AddressRemoved>().size(), 1u);
  Buffer out(200);
  const uint8_t header[12] = {0x80, 96};
  EXPECT_EQ(world.peer.seal_rtp(1, header, {}, out), 0u);

  world.is_cut = false;
  world.client.ice.restart(world.now);
  ASSERT_TRUE(world.negotiate());
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.peer.state(), PeerState::Connected);
  world.send({kClient, kNode, world.client.seal(camera(0, 1))});
  world.run(Duration::millis(100));
  EXPECT_EQ(world.media.size(), 1u);
}

TEST(Peer, says_when_nobody_ever_came_and_still_lets_him_in) {
  World world(41);
  world.is_cut = true;
  ASSERT_TRUE(world.negotiate());
  world.run(Duration::seconds(29));
  EXPECT_EQ(world.peer.state(), PeerState::New);
  world.run(Duration::seconds(2));
  EXPECT_EQ(world.peer.state(), PeerState::Disconnected);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::NeverReached);
  world.is_cut = false;
  world.client.ice.restart(world.now);
  EXPECT_TRUE(world.connect());
}

TEST(Peer, fails_when_the_certificate_is_not_the_announced_one) {
  World world(42);
  world.client.announced = &test::node_identity();  // but proves the other
  EXPECT_FALSE(world.connect());
  EXPECT_EQ(world.peer.state(), PeerState::Failed);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::WrongFingerprint);
  EXPECT_FALSE(world.peer.deadline().has_value());
  const auto again = world.peer.handle_offer(world.now, world.client.offer_text(), world.client.lines());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, PeerErrorCode::Ended);
}

TEST(Peer, fails_when_the_handshake_never_ends) {
  World world(43);
  ASSERT_TRUE(world.negotiate());
  // ICE works, DTLS of the client is lost.
  for (int i = 0; i < 4500 && world.peer.state() != PeerState::Failed; ++i) {
    for (auto it = world.in_flight.begin(); it != world.in_flight.end();) {
      it = it->second.to == kNode && it->second.bytes[0] >= 20 ? world.in_flight.erase(it) : std::next(it);
    }
    world.run(Duration::millis(9));  // shorter than the network's delay: nothing slips through
  }
  EXPECT_EQ(world.peer.state(), PeerState::Failed);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::HandshakeTimeout);
}

TEST(Peer, ends_when_the_client_says_goodbye) {
  World world(44);
  ASSERT_TRUE(world.connect());
  world.client.dtls->close(world.now);
  world.run(Duration::millis(100));
  EXPECT_EQ(world.peer.state(), PeerState::Failed);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::ClosedByClient);
}

TEST(Peer, says_goodbye_itself) {
  World world(45);
  ASSERT_TRUE(world.connect());
  world.peer.close(world.now);
  world.run(Duration::millis(100));
  EXPECT_EQ(world.peer.state(), PeerState::Failed);
  EXPECT_EQ(world.events_of<StateChanged>().back().reason, StateReason::ClosedByNode);
  EXPECT_EQ(world.client.dtls->state(), dtls::State::Closed);
  Buffer media = world.client.seal(camera(0, 1));
  EXPECT_TRUE(is_nothing(world.receive(kClient, media)));
}

TEST(Peer, media_before_the_keys_is_counted_and_dropped) {
  World world(46);
  ASSERT_TRUE(world.negotiate());
  for (int i = 0; i < 100 && world.peer.state() == PeerState::New; ++i) world.run(Duration::millis(1));
  ASSERT_EQ(world.peer.state(), PeerState::Connecting);
  Buffer media(100, 0);
  media[0] = 0x80;
  media[1] = 96;
  EXPECT_TRUE(is_nothing(world.receive(kClient, media)));
  EXPECT_EQ(world.peer.snapshot().counters.early, 1u);
  EXPECT_TRUE(world.connect());
}

// --- hand-over
// ------------------------------------------------------------------------------------------------

Buffer seal_for_client(World& world, uint16_t number) {
  const uint8_t header[12] = {0x80, 96, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
  Buffer out(200);
  out.resize(world.peer.seal_rtp(number, header, core::as_bytes("picture"), out));
  return out;
}

TEST(Peer, goes_on_in_another_process_without_the_client_noticing) {
  World world(60);
  ASSERT_TRUE(world.connect());
  uint16_t number = 0;
  const auto both_ways = [&](int packets) {
    for (int i = 0; i < packets; ++i) {
      ++number;
      Packet packet = camera(static_cast<uint8_t>(number % 3), number);
      packet.transport_number = number;
      world.send({kClient, kNode, world.client.seal(packet)});
      world.send({kNode, *world.peer.destination(), seal_for_client(world, number)});
      world.run(Duration::millis(5));
    }
  };
  both_ways(60);
  const auto before = world.peer.snapshot();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(world.hand_over());
    both_ways(60);
  }
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.media.size(), 240u);
  EXPECT_EQ(world.client.rtp_in.size(), 240u);
  EXPECT_EQ(world.client.refused_in, 0u) << "an index was used twice";
  const auto after = world.peer.snapshot();
  EXPECT_EQ(after.state, PeerState::Connected);
  EXPECT_EQ(after.destination, before.destination);
  EXPECT_EQ(after.ice.ufrag, before.ice.ufrag);
  EXPECT_GT(after.counters.packets_in, before.counters.packets_in);
  EXPECT_EQ(after.counters.not_authentic, 0u);
  EXPECT_EQ(after.feedback.packets, 240u);
  EXPECT_EQ(after.feedback.jumps, 0u);
  EXPECT_GT(world.client.rtcp_in.size(), 3u) << "feedback goes on, under new SRTCP indices";
}

TEST(Peer, knows_replays_from_before_a_hand_over) {
  World world(61);
  ASSERT_TRUE(world.connect());
  const Buffer sealed = world.client.seal(camera(0, 7));
  Buffer first = sealed, again = sealed;
  world.receive(kClient, first);
  ASSERT_EQ(world.media.size(), 1u);
  ASSERT_TRUE(world.hand_over());
  world.receive(kClient, again);
  EXPECT_EQ(world.media.size(), 1u);
  EXPECT_EQ(world.peer.snapshot().srtp->replayed, 1u);
}

TEST(Peer, after_a_hand_over_consent_ends_and_comes_back_as_before) {
  World world(62);
  ASSERT_TRUE(world.connect());
  ASSERT_TRUE(world.hand_over());
  world.is_cut = true;
  world.run(Duration::seconds(40));
  EXPECT_EQ(world.peer.state(), PeerState::Disconnected);
  world.is_cut = false;
  world.client.ice.restart(world.now);
  ASSERT_TRUE(world.negotiate());
  world.run(Duration::seconds(5));
  EXPECT_EQ(world.peer.state(), PeerState::Connected) << "the keys are the same, no handshake is needed";
  world.send({kNode, *world.peer.destination(), seal_for_client(world, 1)});
  world.run(Duration::millis(100));
  EXPECT_EQ(world.client.rtp_in.size(), 1u);
}

TEST(Peer, counts_dtls_of_an_association_that_stayed_behind) {
  World world(63);
  ASSERT_TRUE(world.connect());
  ASSERT_TRUE(world.hand_over());
  world.client.dtls->close(world.now);
  world.run(Duration::millis(100));
  EXPECT_EQ(world.peer.snapshot().counters.late_dtls, 1u);
  EXPECT_EQ(world.peer.state(), PeerState::Connected);
}

TEST(Peer, is_taken_along_before_its_handshake_but_not_within_it) {
  World world(64);
  ASSERT_TRUE(world.negotiate());
  ASSERT_TRUE(world.hand_over()) << "answered, and nobody came yet";
  bool was_within = false;
  for (int i = 0; i < 4000 && !world.peer.can_send(); ++i) {
    world.run(Duration::millis(1));
    const auto dtls = world.peer.snapshot().dtls;
    const bool is_within = dtls && dtls->state == dtls::State::Handshaking;
    was_within = was_within || is_within;
    EXPECT_EQ(world.peer.export_state().has_value(), !is_within);
    if (is_within) {
      EXPECT_TRUE(world.peer.has_open_handshake(world.now));
    }
  }
  EXPECT_TRUE(was_within);
  ASSERT_TRUE(world.peer.can_send());
  EXPECT_TRUE(world.peer.has_open_handshake(world.now)) << "the last flight may be lost";
  world.run(Peer::kSettleTime);
  EXPECT_FALSE(world.peer.has_open_handshake(world.now));
}

TEST(Peer, refuses_a_hand_over_that_contradicts_itself) {
  const auto refuses = [](uint64_t seed, auto spoil) {
    World world(seed);
    if (!world.connect()) return false;
    auto state = world.peer.export_state();
    spoil(*state);
    Peer fresh(world.now, PeerId(1), {.addresses = {kNode}},
               {test::node_identity(), *world.backend, world.random});
    return !fresh.restore(world.now, std::move(*state));
  };
  EXPECT_FALSE(refuses(65, [](PeerHandOver&) {})) << "untouched, it is taken";
  EXPECT_TRUE(refuses(66, [](PeerHandOver& s) { s.sealer.reset(); }));
  EXPECT_TRUE(refuses(67, [](PeerHandOver& s) { s.opener.reset(), s.sealer.reset(); }));
  EXPECT_TRUE(refuses(68, [](PeerHandOver& s) { s.lines.pop_back(); }));
  EXPECT_TRUE(refuses(69, [](PeerHandOver& s) { s.ice.generations.clear(); }));
  EXPECT_TRUE(refuses(70, [](PeerHandOver& s) { s.ice.addresses.clear(); }));
  EXPECT_TRUE(refuses(71, [](PeerHandOver& s) { s.sources[1].rids.resize(40, "x"); }));
  EXPECT_TRUE(refuses(72, [](PeerHandOver& s) { s.streams.push_back({1, 200, 0, false}); }));
  EXPECT_TRUE(refuses(73, [](PeerHandOver& s) { s.feedback.base = s.feedback.end + 1; }));
  EXPECT_TRUE(refuses(74, [](PeerHandOver& s) { s.id = PeerId(2); }));
  EXPECT_TRUE(refuses(75, [](PeerHandOver& s) { s.state = PeerState::Failed; }));
}

}  // namespace
}  // namespace huitang::peer
