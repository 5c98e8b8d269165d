// Both agents against each other over a virtual network, and the lite agent against single hostile datagrams.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "ice/full_agent.h"
#include "ice/lite_agent.h"

namespace huitang::ice {
namespace {

using core::as_bytes;
using core::Buffer;
using core::Bytes;
using core::Duration;
using core::Instant;
using core::IpAddress;
using core::SocketAddress;
using stun::Integrity;
using stun::MessageClass;
using stun::MessageView;

const SocketAddress kNode{IpAddress::v4(192, 0, 2, 1), 5000};
const SocketAddress kNodeSecond{IpAddress::v4(198, 51, 100, 1), 5000};
const SocketAddress kClient{IpAddress::v4(10, 0, 0, 7), 40000};
const SocketAddress kClientElsewhere{IpAddress::v4(10, 9, 9, 9), 41000};

Instant at(int64_t millis) { return Instant::from_nanos(millis * 1'000'000); }

// Node and client with a network between them that loses, delays and reorders by a seed.
class World {
 public:
  explicit World(uint64_t seed) : random(seed), lite(now), full(now, random) {}

  struct Datagram {
    SocketAddress from;
    SocketAddress to;
    Buffer bytes;
  };

  void connect() {
    lite.add_generation(now, {make_credentials(random), full.local().ufrag});
    full.start(now, {lite.local(), {{kNode, 100}}});
  }

  void restart() {
    const Credentials& mine = full.restart(now);
    lite.add_generation(now, {make_credentials(random), mine.ufrag});
    full.start(now, {lite.local(), {{kNode, 100}}});
  }

  // Moves virtual time forward, event by event.
  void run(Duration span) {
    const Instant end = now + span;
    while (true) {
      flush();
      Instant next = end;
      if (!in_flight.empty()) next = std::min(next, in_flight.begin()->first);
      if (const auto d = full.deadline()) next = std::min(next, std::max(*d, now));
      if (const auto d = lite.deadline()) next = std::min(next, std::max(*d, now));
      now = next;
      if (now >= end) return;
      if (const auto d = full.deadline(); d && *d <= now) full.handle_deadline(now);
      if (const auto d = lite.deadline(); d && *d <= now) lite.handle_deadline(now);
      while (!in_flight.empty() && in_flight.begin()->first <= now) {
        const Datagram d = in_flight.begin()->second;
        in_flight.erase(in_flight.begin());
        deliver(d);
      }
    }
  }

  void flush() {
    while (auto t = full.poll_transmit()) send({client, t->to, t->bytes});
    while (auto t = lite.poll_transmit()) send({kNode, t->to, t->bytes});
    while (auto e = full.poll_event()) full_events.push_back(*e);
    while (auto e = lite.poll_event()) lite_events.push_back(*e);
  }

  void send(Datagram d) {
    ++sent;
    if (random.below(1000) < loss_per_mille || is_cut) return;
    const auto delay =
        Duration::millis(10) + Duration::micros(random.below(static_cast<uint32_t>(jitter.to_micros()) + 1));
    in_flight.emplace(now + delay, d);
  }

  void deliver(const Datagram& d) {
    if (d.to == kNode) lite.handle_datagram(now, d.from, d.bytes);
    // A datagram to an address that the client has left goes nowhere.
    if (d.to == client) full.handle_datagram(now, d.from, d.bytes);
  }

  template <class E>
  std::vector<E> lite_events_of() const {
    std::vector<E> out;
    for (const auto& e : lite_events) {
      if (const E* x = std::get_if<E>(&e)) out.push_back(*x);
    }
    return out;
  }

  core::SeededRandom random;
  Instant now = at(1000);
  LiteAgent lite;
  FullAgent full;
  SocketAddress client = kClient;
  uint32_t loss_per_mille = 0;
  Duration jitter;
  bool is_cut = false;
  uint64_t sent = 0;
  std::multimap<Instant, Datagram> in_flight;
  std::vector<FullAgent::Event> full_events;
  std::vector<LiteAgent::Event> lite_events;
};

TEST(Ice, connects_in_two_round_trips_without_loss) {
  World world(1);
  world.connect();
  world.run(Duration::millis(41));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
  EXPECT_EQ(world.full.destination(), kNode);
  EXPECT_EQ(world.lite.destination(), kClient);
  EXPECT_TRUE(world.lite.is_validated(kClient));
  EXPECT_FALSE(world.lite.is_validated(kClientElsewhere));
  EXPECT_EQ(world.full.snapshot().mapped_address, kClient);
  EXPECT_EQ(world.full.snapshot().round_trip, Duration::millis(20));
}

TEST(Ice, connects_over_ipv6) {
  World world(2);
  world.client = {*core::parse_ip("2001:db8::7"), 40000};
  world.connect();
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.full.snapshot().mapped_address, world.client);
}

TEST(Ice, connects_and_stays_connected_under_loss_and_reordering) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    World world(seed);
    world.loss_per_mille = 200;
    world.jitter = Duration::millis(400);
    world.connect();
    world.run(Duration::seconds(60));
    ASSERT_EQ(world.full.state(), FullState::Connected) << "seed " << seed;
    ASSERT_EQ(world.lite.state(), LiteState::Connected) << "seed " << seed;
    world.run(Duration::seconds(300));
    // Consent survives 30 % loss each way except by six failures in a row (0.51^6, 2 % a minute): no seed
    // here does.
    EXPECT_EQ(world.full.state(), FullState::Connected) << "seed " << seed;
    EXPECT_EQ(world.lite.state(), LiteState::Connected) << "seed " << seed;
  }
}

TEST(Ice, retransmits_with_doubling_intervals_and_gives_up_after_rfc_8489_s_time) {
  World world(3);
  world.is_cut = true;
  world.connect();
  std::vector<int64_t> times;
  const Instant start = world.now;
  for (int i = 0; i < 4500 && world.full.state() == FullState::Checking; ++i) {
    const uint64_t before = world.sent;
    world.run(Duration::millis(10));
    if (world.sent != before) times.push_back((world.now - start).to_millis() / 100 * 100);
  }
  EXPECT_EQ(times, (std::vector<int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500}));
  EXPECT_EQ(world.full.state(), FullState::Failed);
  EXPECT_EQ((world.now - start).to_millis() / 100, 395);
  EXPECT_FALSE(world.full.destination().has_value());
}

TEST(Ice, nominates_the_candidate_of_higher_priority_when_both_work) {
  World world(4);
  world.lite.add_generation(world.now, {make_credentials(world.random), world.full.local().ufrag});
  world.full.start(world.now, {world.lite.local(), {{kNodeSecond, 10}, {kNode, 100}}});
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.full.destination(), kNode);
}

TEST(Ice, falls_back_to_the_candidate_that_works_without_waiting_for_the_other_to_fail) {
  World world(5);
  world.lite.add_generation(world.now, {make_credentials(world.random), world.full.local().ufrag});
  world.full.start(world.now,
                   {world.lite.local(), {{kNodeSecond, 100}, {kNode, 10}}});  // the first one is dead
  world.run(Duration::millis(400));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.full.destination(), kNode);
}

TEST(Ice, cuts_and_deduplicates_candidates) {
  World world(6);
  std::vector<RemoteCandidate> many{{kNode, 1}, {kNode, 1}};
  for (uint16_t port = 1; port <= 40; ++port) many.push_back({{kNode.ip, port}, 2});
  world.full.start(world.now, {make_credentials(world.random), many});
  EXPECT_EQ(world.full.snapshot().pairs, FullAgent::kMaxPairs);
}

TEST(Ice, fails_at_once_without_candidates) {
  World world(7);
  world.full.start(world.now, {make_credentials(world.random), {}});
  EXPECT_EQ(world.full.state(), FullState::Failed);
}

TEST(Ice, checks_consent_about_every_five_seconds_not_in_step) {
  World world(8);
  world.connect();
  world.run(Duration::seconds(1));
  std::vector<int64_t> gaps;
  Instant last = world.now;
  for (int i = 0; i < 100'000 && gaps.size() < 20; ++i) {
    const uint64_t before = world.full.snapshot().counters.checks_sent;
    world.run(Duration::millis(5));
    if (world.full.snapshot().counters.checks_sent != before) {
      gaps.push_back((world.now - last).to_millis());
      last = world.now;
    }
  }
  gaps.erase(gaps.begin());
  EXPECT_GE(*std::min_element(gaps.begin(), gaps.end()), 3990);
  EXPECT_LE(*std::max_element(gaps.begin(), gaps.end()), 6010);
  EXPECT_GT(*std::max_element(gaps.begin(), gaps.end()) - *std::min_element(gaps.begin(), gaps.end()), 500);
}

TEST(Ice, both_sides_lose_consent_after_thirty_silent_seconds_and_restart_brings_them_back) {
  World world(9);
  world.connect();
  world.run(Duration::seconds(20));
  world.is_cut = true;
  world.run(Duration::seconds(24));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
  world.run(Duration::seconds(7));
  EXPECT_EQ(world.full.state(), FullState::Disconnected);
  EXPECT_EQ(world.lite.state(), LiteState::Disconnected);
  EXPECT_FALSE(world.lite.is_validated(kClient));
  EXPECT_FALSE(world.lite.destination().has_value());
  const uint64_t sent = world.sent;
  world.run(Duration::seconds(60));
  EXPECT_EQ(world.sent, sent);  // RFC 7675 section 5.1: silence without consent

  world.is_cut = false;
  world.restart();
  world.run(Duration::seconds(1));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
  EXPECT_EQ(world.lite_events_of<LiteAgent::AddressForgotten>().size(), 1u);
}

TEST(Ice, a_shorter_cut_costs_no_state) {
  World world(10);
  world.connect();
  world.run(Duration::seconds(10));
  const size_t events = world.full_events.size() + world.lite_events.size();
  world.is_cut = true;
  world.run(Duration::seconds(20));
  world.is_cut = false;
  world.run(Duration::seconds(10));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.full_events.size() + world.lite_events.size(), events);
}

TEST(Ice, follows_a_client_to_another_address_with_its_next_check) {
  World world(11);
  world.connect();
  world.run(Duration::seconds(3));
  world.client = kClientElsewhere;
  world.run(Duration::seconds(7));
  EXPECT_EQ(world.lite.destination(), kClientElsewhere);
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_TRUE(world.lite.is_validated(kClient));  // until its consent ends
  world.run(Duration::seconds(30));
  EXPECT_FALSE(world.lite.is_validated(kClient));
  EXPECT_EQ(world.lite.destination(), kClientElsewhere);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
}

TEST(Ice, restart_overlaps_old_and_new_credentials) {
  World world(12);
  world.connect();
  world.run(Duration::seconds(2));
  const std::string old_ufrag = world.lite.local().ufrag;

  // The node has answered the restart, the client has not heard of it yet: the old ones still work.
  const Credentials mine = world.full.restart(world.now);
  world.lite.add_generation(world.now, {make_credentials(world.random), mine.ufrag});
  EXPECT_TRUE(world.lite.snapshot().is_restarting);
  world.run(Duration::seconds(60));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
  EXPECT_TRUE(world.lite_events_of<LiteAgent::CredentialsRetired>().empty());

  world.full.start(world.now, {world.lite.local(), {{kNode, 100}}});
  EXPECT_EQ(world.full.state(), FullState::Connected);  // media goes on meanwhile
  world.run(Duration::seconds(1));
  const auto retired = world.lite_events_of<LiteAgent::CredentialsRetired>();
  ASSERT_EQ(retired.size(), 1u);
  EXPECT_EQ(retired[0].ufrag, old_ufrag);
  EXPECT_FALSE(world.lite.snapshot().is_restarting);
  world.run(Duration::seconds(120));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.lite.state(), LiteState::Connected);
  EXPECT_EQ(world.lite_events_of<LiteAgent::StateChanged>().size(), 1u);
}

TEST(Ice, restart_twice_under_loss_ends_connected) {
  for (uint64_t seed = 100; seed < 140; ++seed) {
    World world(seed);
    world.loss_per_mille = 200;
    world.jitter = Duration::millis(300);
    world.connect();
    world.run(Duration::millis(700));
    world.restart();
    world.run(Duration::millis(300));
    world.restart();
    world.run(Duration::seconds(40));
    EXPECT_EQ(world.full.state(), FullState::Connected) << "seed " << seed;
    EXPECT_EQ(world.lite.state(), LiteState::Connected) << "seed " << seed;
  }
}

TEST(Ice, a_restart_nobody_answers_leaves_the_pair_in_use) {
  World world(13);
  world.connect();
  world.run(Duration::seconds(2));
  world.full.restart(world.now);
  world.full.start(world.now, {make_credentials(world.random), {{kNodeSecond, 1}}});
  world.run(Duration::seconds(60));
  EXPECT_EQ(world.full.state(), FullState::Connected);
  EXPECT_EQ(world.full.destination(), kNode);
  EXPECT_EQ(world.full.snapshot().pairs_failed, 1u);
}

TEST(Ice, stays_apart_with_a_wrong_password) {
  World world(14);
  world.lite.add_generation(world.now, {make_credentials(world.random), world.full.local().ufrag});
  Credentials wrong = world.lite.local();
  wrong.password.back() = wrong.password.back() == 'A' ? 'B' : 'A';
  world.full.start(world.now, {wrong, {{kNode, 100}}});
  world.run(Duration::seconds(60));
  EXPECT_EQ(world.full.state(), FullState::Failed);
  EXPECT_EQ(world.lite.state(), LiteState::New);
  EXPECT_EQ(world.lite.snapshot().counters.wrong_integrity, 7u);
  EXPECT_EQ(world.sent, 7u);  // the node answered none of them
}

// --- the lite agent alone
// -------------------------------------------------------------------------------------

class Lite : public ::testing::Test {
 protected:
  struct Check {
    std::string username;
    std::string password;
    bool use_candidate = true;
    bool has_priority = true;
    bool is_controlled = false;
    std::optional<uint16_t> extra;
    uint8_t number = 0;  ///< of the transaction
  };
  Check right() const { return {agent.local().ufrag + ":peer", agent.local().password}; }

  static Buffer write(const Check& check) {
    Buffer out(512);
    stun::MessageWriter writer(out, {MessageClass::Request, {1, 2, 3, check.number}});
    writer.attribute(0x0006, as_bytes(check.username));
    if (check.has_priority) writer.priority(1);
    if (check.is_controlled) writer.ice_controlled(5);
    if (!check.is_controlled) writer.ice_controlling(5);
    if (check.use_candidate) writer.use_candidate();
    if (check.extra) writer.attribute(*check.extra, as_bytes("what"));
    const Bytes bytes = writer.finish(as_bytes(check.password));
    return Buffer(bytes.begin(), bytes.end());
  }

  // What the agent answers, if anything.
  std::optional<Buffer> ask(Check check, const SocketAddress& from = kClient) {
    check.number = checks_++;
    agent.handle_datagram(now, from, write(check));
    auto transmit = agent.poll_transmit();
    if (!transmit) return std::nullopt;
    EXPECT_EQ(transmit->to, from);
    EXPECT_FALSE(agent.poll_transmit().has_value());
    return transmit->bytes;
  }

  std::optional<uint16_t> error_of(const Check& check) {
    const auto bytes = ask(check);
    if (!bytes) return std::nullopt;
    const auto view = MessageView::parse(*bytes);
    EXPECT_TRUE(view.has_value());
    EXPECT_EQ(view->check_integrity(as_bytes(agent.local().password)), Integrity::Right);
    return view->error ? std::optional(view->error->code) : std::nullopt;
  }

  void SetUp() override { agent.add_generation(now, {make_credentials(random), "peer"}); }

  core::SeededRandom random{20};
  Instant now = at(5000);
  LiteAgent agent{now};
  uint8_t checks_ = 0;
};

TEST_F(Lite, a_check_that_was_overheard_proves_no_other_address_and_its_own_again_and_again) {
  const Buffer check = write(right());
  const SocketAddress eavesdropper{IpAddress::v4(203, 0, 113, 66), 666};
  agent.handle_datagram(now, kClient, check);
  EXPECT_TRUE(agent.poll_transmit().has_value());
  agent.handle_datagram(now, eavesdropper, check);
  EXPECT_FALSE(agent.poll_transmit().has_value());
  EXPECT_FALSE(agent.is_validated(eavesdropper));
  EXPECT_EQ(agent.destination(), kClient);
  EXPECT_EQ(agent.snapshot().counters.repeated, 1u);
  agent.handle_datagram(now, kClient, check);
  EXPECT_TRUE(agent.poll_transmit().has_value()) << "a retransmission";
  Check next = right();
  for (size_t i = 0; i < LiteAgent::kMaxRemembered - 1; ++i) {
    next.number = static_cast<uint8_t>(i + 1);
    agent.handle_datagram(now, kClient, write(next));
    static_cast<void>(agent.poll_transmit());
  }
  agent.handle_datagram(now, eavesdropper, check);
  EXPECT_FALSE(agent.is_validated(eavesdropper)) << "still remembered";
}

TEST_F(Lite, answers_with_the_mapped_address_under_its_own_password) {
  const auto bytes = ask(right());
  ASSERT_TRUE(bytes.has_value());
  const auto view = MessageView::parse(*bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->message_class, MessageClass::SuccessResponse);
  EXPECT_EQ(view->xor_mapped_address, kClient);
  EXPECT_EQ(view->transaction, (stun::TransactionId{1, 2, 3}));
  EXPECT_EQ(view->check_integrity(as_bytes(agent.local().password)), Integrity::Right);
  EXPECT_TRUE(view->has_fingerprint);
}

TEST_F(Lite, answers_nothing_without_right_credentials) {
  Check check = right();
  check.password += "x";
  EXPECT_FALSE(ask(check).has_value());
  check = right();
  check.username = agent.local().ufrag;
  EXPECT_FALSE(ask(check).has_value());
  check.username = "peer:" + agent.local().ufrag;
  EXPECT_FALSE(ask(check).has_value());
  // Unknown attributes and role conflicts do not draw errors from a stranger either.
  check = right();
  check.password = "no";
  check.extra = 0x7001;
  check.is_controlled = true;
  EXPECT_FALSE(ask(check).has_value());
  Buffer out(64);
  stun::MessageWriter bare(out, {MessageClass::Request, {}});
  agent.handle_datagram(now, kClient, bare.finish_without_integrity());
  EXPECT_FALSE(agent.poll_transmit().has_value());
  EXPECT_EQ(agent.state(), LiteState::New);
  EXPECT_FALSE(agent.is_validated(kClient));
  EXPECT_FALSE(agent.poll_event().has_value());
}

TEST_F(Lite, follows_a_client_that_begins_anew_by_itself_under_another_fragment_and_from_another_address) {
  ASSERT_TRUE(ask(right()).has_value());
  const SocketAddress moved{IpAddress::v4(203, 0, 113, 9), 4242};
  Check check = right();
  check.username = agent.local().ufrag + ":another";
  ASSERT_TRUE(ask(check, moved).has_value());
  EXPECT_EQ(agent.destination(), moved);
  check.password += "x";
  EXPECT_FALSE(ask(check, kClient).has_value()) << "the password is what proves it";
  EXPECT_EQ(agent.destination(), moved);
}

TEST_F(Lite, ignores_responses_and_indications) {
  for (const auto c :
       {MessageClass::Indication, MessageClass::SuccessResponse, MessageClass::ErrorResponse}) {
    Buffer out(256);
    stun::MessageWriter writer(out, {c, {}});
    writer.attribute(0x0006, as_bytes(right().username));
    writer.priority(1);
    agent.handle_datagram(now, kClient, writer.finish(as_bytes(right().password)));
    EXPECT_FALSE(agent.poll_transmit().has_value());
  }
  EXPECT_EQ(agent.state(), LiteState::New);
  EXPECT_EQ(agent.snapshot().counters.ignored, 3u);
}

TEST_F(Lite, answers_420_487_and_400_without_validating_the_address) {
  Check unknown = right();
  unknown.extra = 0x7001;
  EXPECT_EQ(error_of(unknown), 420);
  Check controlled = right();
  controlled.is_controlled = true;
  EXPECT_EQ(error_of(controlled), 487);
  Check no_priority = right();
  no_priority.has_priority = false;
  EXPECT_EQ(error_of(no_priority), 400);
  EXPECT_FALSE(agent.is_validated(kClient));
  Check optional_attribute = right();
  optional_attribute.extra = 0xc057;  // Chromium's network cost
  EXPECT_EQ(error_of(optional_attribute), std::nullopt);
  EXPECT_TRUE(agent.is_validated(kClient));
}

TEST_F(Lite, moves_only_to_nominated_addresses_while_the_present_one_is_alive) {
  ask(right(), kClient);
  Check plain = right();
  plain.use_candidate = false;
  now += Duration::seconds(3);
  ask(plain, kClientElsewhere);
  EXPECT_EQ(agent.destination(), kClient);
  EXPECT_TRUE(agent.is_validated(kClientElsewhere));
  ask(right(), kClientElsewhere);
  EXPECT_EQ(agent.destination(), kClientElsewhere);
}

TEST_F(Lite, leaves_a_silent_destination_for_one_that_checks_without_nominating) {
  ask(right(), kClient);
  Check plain = right();
  plain.use_candidate = false;
  now += Duration::seconds(8);
  ask(plain, kClientElsewhere);
  EXPECT_EQ(agent.destination(), kClient);
  now += Duration::seconds(2);
  ask(plain, kClientElsewhere);
  EXPECT_EQ(agent.destination(), kClientElsewhere);
}

TEST_F(Lite, falls_back_when_the_destination_loses_consent) {
  ask(right(), kClient);
  now += Duration::seconds(1);
  Check plain = right();
  plain.use_candidate = false;
  ask(plain, kClientElsewhere);
  EXPECT_EQ(agent.deadline(), at(35'000));
  agent.handle_deadline(at(35'000));
  EXPECT_EQ(agent.destination(), kClientElsewhere);
  EXPECT_EQ(agent.state(), LiteState::Connected);
  agent.handle_deadline(at(36'000));
  EXPECT_EQ(agent.state(), LiteState::Disconnected);
  now = at(100'000);
  ask(right(), kClient);
  EXPECT_EQ(agent.state(), LiteState::Connected);
}

TEST_F(Lite, keeps_four_addresses_and_forgets_the_one_checked_longest_ago) {
  ask(right(), kClient);  // the destination, and the oldest of all
  Check plain = right();
  plain.use_candidate = false;
  for (uint16_t i = 1; i <= 5; ++i) {
    now += Duration::millis(100);
    ask(plain, {kClient.ip, static_cast<uint16_t>(50000 + i)});
  }
  EXPECT_TRUE(agent.is_validated(kClient));
  EXPECT_FALSE(agent.is_validated({kClient.ip, 50001}));
  EXPECT_FALSE(agent.is_validated({kClient.ip, 50002}));
  EXPECT_TRUE(agent.is_validated({kClient.ip, 50003}));
  EXPECT_TRUE(agent.is_validated({kClient.ip, 50005}));
  EXPECT_EQ(agent.snapshot().addresses.size(), LiteAgent::kMaxAddresses);
}

TEST_F(Lite, retires_the_oldest_of_three_generations) {
  const Credentials first = agent.local();
  agent.add_generation(now, {make_credentials(random), "peer2"});
  const Credentials second = agent.local();
  agent.add_generation(now, {make_credentials(random), "peer3"});
  EXPECT_FALSE(ask({first.ufrag + ":peer", first.password}).has_value());
  EXPECT_TRUE(ask({second.ufrag + ":peer2", second.password}).has_value());
  EXPECT_TRUE(ask({agent.local().ufrag + ":peer3", agent.local().password}).has_value());
  EXPECT_FALSE(ask({second.ufrag + ":peer2", second.password}).has_value());
}

TEST_F(Lite, goes_on_from_what_another_process_exported) {
  ask(right(), kClient);
  now += Duration::seconds(3);
  Check plain = right();
  plain.use_candidate = false;
  ask(plain, kClientElsewhere);
  const Check old_credentials = right();
  agent.add_generation(now, {make_credentials(random), "peer2"});  // a restart is under way
  const LiteAgentState state = agent.export_state();

  LiteAgent next(now);
  ASSERT_TRUE(next.restore(state));
  EXPECT_FALSE(next.poll_event());
  EXPECT_EQ(next.state(), LiteState::Connected);
  EXPECT_EQ(next.destination(), kClient);
  EXPECT_TRUE(next.is_validated(kClientElsewhere));
  EXPECT_EQ(next.local(), agent.local());
  EXPECT_EQ(next.deadline(), agent.deadline());
  next.handle_datagram(now, kClient, write(old_credentials));
  EXPECT_TRUE(next.poll_transmit()) << "both generations answer";
  EXPECT_EQ(next.snapshot().counters.checks, 3u);

  LiteAgentState broken = state;
  broken.destination = SocketAddress{core::IpAddress::v4(10, 9, 9, 9), 1};
  EXPECT_FALSE(LiteAgent(now).restore(broken));
  broken = state;
  broken.generations[0].local.password.clear();
  EXPECT_FALSE(LiteAgent(now).restore(broken));
}

TEST_F(Lite, caps_its_answers_when_nobody_polls) {
  const Buffer check = write(right());
  for (int i = 0; i < 100; ++i) agent.handle_datagram(now, kClient, check);
  size_t answers = 0;
  while (agent.poll_transmit()) ++answers;
  EXPECT_EQ(answers, LiteAgent::kMaxTransmits);
  EXPECT_EQ(agent.snapshot().counters.dropped_transmits, 100 - LiteAgent::kMaxTransmits);
}

// --- the full agent alone
// -------------------------------------------------------------------------------------

class Full : public ::testing::Test {
 protected:
  void SetUp() override {
    agent.start(now, {node, {{kNode, 1}}});
    const auto transmit = agent.poll_transmit();
    ASSERT_TRUE(transmit.has_value());
    check = transmit->bytes;
  }
  Buffer answer(MessageClass c, std::string_view password) const {
    Buffer out(256);
    const auto request = MessageView::parse(check);
    stun::MessageWriter writer(out, {c, request->transaction});
    if (c == MessageClass::ErrorResponse) writer.error_code({487, "Role Conflict"});
    writer.xor_mapped_address(kClient);
    const Bytes bytes = writer.finish(as_bytes(password));
    return Buffer(bytes.begin(), bytes.end());
  }
  core::SeededRandom random{30};
  Instant now = at(1000);
  Credentials node = make_credentials(random);
  FullAgent agent{now, random};
  Buffer check;
};

TEST_F(Full, sends_checks_as_rfc_8445_wants_them) {
  const auto view = MessageView::parse(check);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->username, node.ufrag + ":" + agent.local().ufrag);
  EXPECT_TRUE(view->priority.has_value());
  EXPECT_TRUE(view->ice_controlling.has_value());
  EXPECT_FALSE(view->use_candidate);
  EXPECT_TRUE(view->has_fingerprint);
  EXPECT_EQ(view->check_integrity(as_bytes(node.password)), Integrity::Right);
  EXPECT_EQ(peek_username_fragment(check), node.ufrag);
}

TEST_F(Full, believes_no_answer_from_elsewhere_or_under_another_password) {
  agent.handle_datagram(now, kNodeSecond, answer(MessageClass::SuccessResponse, node.password));
  agent.handle_datagram(now, kNode, answer(MessageClass::SuccessResponse, "wrong"));
  agent.handle_datagram(now, kNode, answer(MessageClass::ErrorResponse, "wrong"));
  EXPECT_FALSE(agent.is_validated(kNode));
  EXPECT_EQ(agent.snapshot().counters.dropped_in, 3u);
  EXPECT_EQ(agent.state(), FullState::Checking);
  agent.handle_datagram(now, kNode, answer(MessageClass::SuccessResponse, node.password));
  EXPECT_TRUE(agent.is_validated(kNode));
  // The same answer again finds no open transaction.
  agent.handle_datagram(now, kNode, answer(MessageClass::SuccessResponse, node.password));
  EXPECT_EQ(agent.snapshot().counters.answers, 1u);
}

TEST_F(Full, gives_a_pair_up_on_an_authentic_error) {
  agent.handle_datagram(now, kNode, answer(MessageClass::ErrorResponse, node.password));
  EXPECT_EQ(agent.state(), FullState::Failed);
  EXPECT_FALSE(agent.is_validated(kNode));
}

TEST(Credentials, are_well_formed_and_do_not_repeat) {
  core::SeededRandom random(40);
  const Credentials a = make_credentials(random);
  EXPECT_TRUE(is_well_formed(a));
  EXPECT_FALSE(a == make_credentials(random));
  EXPECT_FALSE(is_well_formed({"abc", a.password}));
  EXPECT_FALSE(is_well_formed({a.ufrag, "tooshort"}));
  EXPECT_FALSE(is_well_formed({"abc:", a.password}));
  EXPECT_FALSE(is_well_formed({std::string(257, 'a'), a.password}));
}

TEST(PeekUsernameFragment, gives_nothing_for_what_is_no_check) {
  EXPECT_FALSE(peek_username_fragment({}).has_value());
  EXPECT_FALSE(peek_username_fragment(Buffer(100, 0x80)).has_value());
  Buffer out(128);
  stun::MessageWriter response(out, {MessageClass::SuccessResponse, {}});
  response.username("a", "b");
  EXPECT_FALSE(peek_username_fragment(response.finish_without_integrity()).has_value());
  stun::MessageWriter colonless(out, {MessageClass::Request, {}});
  colonless.attribute(0x0006, as_bytes("abcd"));
  EXPECT_FALSE(peek_username_fragment(colonless.finish_without_integrity()).has_value());
  stun::MessageWriter right(out, {MessageClass::Request, {}});
  right.username("node", "peer");
  EXPECT_EQ(peek_username_fragment(right.finish_without_integrity()), "node");
}

}  // namespace
}  // namespace huitang::ice
