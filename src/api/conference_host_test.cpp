#include "api/conference_host.h"

#include <gtest/gtest.h>

#include "api/host_harness.h"

namespace huitang::api {
namespace {

using M = v1::ServerMessage;
using core::Duration;

struct Host : testing::Test {
  HostHarness h;
  CreatedConference room = h.create();

  struct Person {
    SocketId socket;
    std::string id;
    std::vector<v1::Source> sources;
    uint32_t camera() const { return sources.at(1).number(); }
    uint32_t microphone() const { return sources.at(0).number(); }
  };
  Person enter(const std::string& name, bool chair = false) {
    Person person;
    person.socket = h.hello();
    h.offer(person.socket);
    person.id = h.join(person.socket, room.number, name, chair ? HostHarness::invite_of(room) : "");
    const M* joined = h.find(person.socket, M::kJoined);
    if (joined != nullptr)
      for (const v1::Participant& participant : joined->joined().state().participants())
        if (participant.id() == person.id)
          person.sources.assign(participant.sources().begin(), participant.sources().end());
    return person;
  }
  void ping(SocketId socket) { h.say(socket, R"({"id":8,"ping":{"at":"1"}})"); }
  bool is_resumed(SocketId socket) {
    const M* welcome = h.find(socket, M::kWelcome);
    return welcome != nullptr && welcome->welcome().resumed();
  }
  void do_command(const Person& person, const std::string& op) {
    h.say(person.socket, "{\"id\":9,\"command\":{" + op + "}}");
  }
  v1::Participant seen_by(const Person& viewer, const std::string& id) {
    v1::Participant latest;
    for (const M& message : h.got(viewer.socket)) {
      const auto& list = message.has_joined()  ? message.joined().state().participants()
                         : message.has_state() ? message.state().participants()
                                               : message.change().participants();
      for (const v1::Participant& participant : list)
        if (participant.id() == id) latest = participant;
    }
    return latest;
  }
};

TEST_F(Host, refuses_everything_before_hello) {
  const SocketId socket = h.open();
  h.say(socket, R"({"id":5,"join":{"number":"123456789","name":"x"}})");
  ASSERT_EQ(h.refusal(socket), v1::REFUSAL_CODE_UNAUTHENTICATED);
  EXPECT_EQ(h.got(socket).back().reply_to(), 5u);
}

TEST_F(Host, closes_a_socket_that_says_no_hello_in_time) {
  const SocketId socket = h.open();
  h.pass(Duration::seconds(12));
  EXPECT_EQ(h.closed.at(socket), CloseCode::PolicyViolation);
}

TEST_F(Host, welcomes_with_slots_and_a_resume_token) {
  const SocketId socket = h.hello();
  const M* welcome = h.find(socket, M::kWelcome);
  ASSERT_NE(welcome, nullptr);
  EXPECT_FALSE(welcome->welcome().resumed());
  EXPECT_EQ(welcome->welcome().slots().video(), 16u);
  EXPECT_FALSE(welcome->welcome().resume_token().empty());
}

TEST_F(Host, tells_the_joiner_the_whole_state_and_others_a_numbered_change) {
  const Person first = enter("Li");
  const Person second = enter("Wang");
  const M* joined = h.find(second.socket, M::kJoined);
  ASSERT_NE(joined, nullptr);
  EXPECT_EQ(joined->joined().state().participants_size(), 2);
  const M* change = h.find(first.socket, M::kChange);
  ASSERT_NE(change, nullptr);
  EXPECT_EQ(change->change().happening().joined(), second.id);
  EXPECT_EQ(change->change().number(), joined->joined().state().number());
}

TEST_F(Host, acknowledges_nothing_that_the_journal_could_not_write) {
  const Person person = enter("Li");
  h.disk_full = true;
  do_command(person, R"("commandId":"h1","setHand":{"up":true})");
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_STORE_UNAVAILABLE);
  EXPECT_EQ(h.find(person.socket, M::kCommandDone), nullptr);
  h.disk_full = false;
  do_command(person, R"("commandId":"h2","setHand":{"up":true})");
  EXPECT_NE(h.find(person.socket, M::kCommandDone), nullptr);
  EXPECT_TRUE(seen_by(person, person.id).hand_up());
}

TEST_F(Host, hands_in_a_lost_session_again_when_the_disk_was_full) {
  const Person first = enter("Li");
  const Person second = enter("Wang");
  h.disk_full = true;
  h.lose(second.socket);
  EXPECT_NE(seen_by(first, second.id).connection(), v1::CONNECTION_STATE_RECONNECTING);
  h.disk_full = false;
  h.pass(Duration::seconds(2));
  EXPECT_EQ(seen_by(first, second.id).connection(), v1::CONNECTION_STATE_RECONNECTING);
}

// A stranger learns the same, at the same moment, of a conference that is not there, is locked, is full, has
// thrown him out or has ended.
TEST_F(Host, answers_alike_whether_there_is_no_conference_or_none_that_lets_one_in) {
  const CreatedConference ended = h.create(), locked = h.create();
  const SocketId chair = h.hello(), other_chair = h.hello();
  h.join(chair, ended.number, "Li", HostHarness::invite_of(ended));
  h.say(chair, R"({"id":9,"command":{"commandId":"e","end":{}}})");
  h.join(other_chair, locked.number, "Li", HostHarness::invite_of(locked));
  h.say(other_chair, R"({"id":9,"command":{"commandId":"l","setLock":{"locked":true}}})");
  const Person here = enter("Wang", true);
  const Person guest = enter("Zhao");
  do_command(here, R"("commandId":"r","remove":{"participantId":")" + guest.id + "\"}");

  const uint64_t checked = h.metrics.get(Metric::TokensChecked);
  const uint64_t written = h.metrics.get(Metric::JournalWrites);
  std::set<std::string> bodies;
  for (const std::string& number :
       {ended.number, locked.number, std::string("999999998"), std::string("x")}) {
    const SocketId socket = h.hello();
    h.join(socket, number, "x");
    const size_t before = h.raw[socket].size();
    h.pass(Duration::millis(280));
    EXPECT_EQ(h.raw[socket].size(), before) << number << ": answered before the time";
    h.pass(Duration::millis(40));
    EXPECT_EQ(h.refusal(socket), v1::REFUSAL_CODE_NOT_FOUND);
    bodies.insert(h.raw[socket].back());
  }
  h.join(guest.socket, room.number, "Zhao");
  h.pass(Duration::millis(320));
  bodies.insert(h.raw[guest.socket].back());
  EXPECT_EQ(bodies.size(), 1u);
  EXPECT_EQ(h.metrics.get(Metric::TokensChecked), checked);
  EXPECT_EQ(h.metrics.get(Metric::JournalWrites), written);
  EXPECT_FALSE(h.host->look_up(locked.number));
  EXPECT_FALSE(h.host->look_up(ended.number));
}

TEST_F(Host, tells_whoever_was_invited_why_he_is_not_let_in) {
  const Person chair = enter("Li", true);
  do_command(chair, R"("commandId":"e","end":{})");
  const SocketId invited = h.hello();
  h.join(invited, room.number, "Wang", HostHarness::invite_of(room));
  EXPECT_EQ(h.refusal(invited), v1::REFUSAL_CODE_ENDED);
  h.pass(Duration::seconds(3));
  const SocketId later = h.hello();
  h.join(later, room.number, "Wang", HostHarness::invite_of(room));
  EXPECT_EQ(h.refusal(later), v1::REFUSAL_CODE_ENDED);
}

TEST_F(Host, takes_one_join_of_a_session_at_a_time_also_of_no_conference) {
  const SocketId socket = h.hello();
  h.join(socket, "999999998", "x");
  h.join(socket, "999999997", "x");
  EXPECT_EQ(h.refusal(socket), v1::REFUSAL_CODE_CONFLICT);
  h.pass(Duration::millis(320));
  EXPECT_NE(h.join(socket, room.number, "Li"), "");
}

TEST_F(Host, raises_an_alarm_when_many_joins_are_refused_and_takes_it_back) {
  for (uint64_t i = 0; i <= kRefusedJoinsAMinute; ++i) {
    const SocketId socket = h.open(core::IpAddress::v4(10, 0, 1, static_cast<uint8_t>(i)));
    h.say(socket, R"({"id":1,"hello":{"protocol":1}})");
    h.join(socket, "999999998", "x");
  }
  h.pass(Duration::seconds(2));
  EXPECT_EQ(h.metrics.get(Metric::JoinsAlarm), 1u);
  EXPECT_NE(h.host->alarms().find("joins were refused"), std::string::npos);
  h.pass(Duration::seconds(125));
  EXPECT_EQ(h.metrics.get(Metric::JoinsAlarm), 0u);
  EXPECT_EQ(h.host->alarms(), "");
}

TEST_F(Host, limits_guessing_of_numbers_from_one_address) {
  v1::RefusalCode last = v1::REFUSAL_CODE_UNSPECIFIED;
  for (int i = 0; i < 90; ++i) {
    const SocketId socket = h.hello();
    h.join(socket, std::to_string(200'000'000 + i), "x");
    h.pass(Duration::millis(310));
    last = h.refusal(socket);
  }
  EXPECT_EQ(last, v1::REFUSAL_CODE_TOO_MANY_REQUESTS);
}

TEST_F(Host, gives_chair_rights_by_the_chair_link_only) {
  const Person person = enter("Li");
  const Person chair = enter("Wang", true);
  do_command(person, R"("commandId":"m","muteOther":{"participantId":")" + chair.id + "\"}");
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_NOT_CHAIR);
  do_command(chair, R"("commandId":"m","muteOther":{"participantId":")" + person.id + "\"}");
  EXPECT_TRUE(seen_by(chair, person.id).muted_by_chair());
}

TEST_F(Host, refuses_a_chair_token_of_another_conference) {
  const CreatedConference other = h.create();
  const SocketId socket = h.hello();
  const std::string id = h.join(socket, room.number, "x", HostHarness::invite_of(other));
  const M* joined = h.find(socket, M::kJoined);
  ASSERT_NE(joined, nullptr);
  EXPECT_EQ(joined->joined().state().participants(0).role(), v1::ROLE_PARTICIPANT) << id;
}

TEST_F(Host, binds_sources_of_those_who_joined_and_enforces_mute_at_the_node) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  ASSERT_NE(h.bound(person.microphone()), nullptr);
  EXPECT_TRUE(h.bound(person.microphone())->forwarded());
  EXPECT_EQ(h.bound(person.microphone())->group(), std::stoull(room.number));
  do_command(chair, R"("commandId":"m","muteOther":{"participantId":")" + person.id + "\"}");
  EXPECT_FALSE(h.bound(person.microphone())->forwarded());
  EXPECT_TRUE(h.bound(person.camera())->forwarded());
}

TEST_F(Host, binds_sources_when_the_offer_comes_after_the_join) {
  const SocketId socket = h.hello();
  h.join(socket, room.number, "Li");
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kBindSource), 0u);
  h.offer(socket);
  EXPECT_NE(h.find(socket, M::kAnswer), nullptr);
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kBindSource), 4u);
}

TEST_F(Host, unbinds_and_says_goodbye_to_a_removed_participant_who_cannot_come_back) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  do_command(chair, R"("commandId":"r","remove":{"participantId":")" + person.id + "\"}");
  const M* left = h.find(person.socket, M::kLeft);
  ASSERT_NE(left, nullptr);
  EXPECT_EQ(left->left().reason(), v1::LEAVE_REASON_REMOVED);
  EXPECT_EQ(h.bound(person.camera()), nullptr);
  h.join(person.socket, room.number, "Wang");
  h.pass(Duration::millis(310));
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_NOT_FOUND);
  const SocketId again = h.hello(h.token_of(person.socket));
  h.join(again, room.number, "Wang");
  h.pass(Duration::millis(310));
  EXPECT_EQ(h.refusal(again), v1::REFUSAL_CODE_NOT_FOUND);
  h.join(again, room.number, "Wang", HostHarness::invite_of(room));
  EXPECT_EQ(h.refusal(again), v1::REFUSAL_CODE_REMOVED) << "who shows an invitation is told why";
}

TEST_F(Host, shows_only_pictures_of_others_in_the_same_conference) {
  const Person one = enter("Li");
  const Person two = enter("Wang");
  const auto slot = [](uint32_t index, uint32_t source) {
    return R"({"use":"LINE_USE_VIDEO_SLOT","index":)" + std::to_string(index) + R"(,"source":)" +
           std::to_string(source) + R"(,"width":640,"height":360})";
  };
  h.say(one.socket, R"({"id":4,"setView":{"slots":[)" + slot(0, two.camera()) + "," + slot(1, 4'000'000) +
                        "," + slot(2, two.microphone()) +
                        R"(,{"use":"LINE_USE_VIDEO_SLOT","index":3,"speaker":true}]}})");
  ASSERT_NE(h.find(one.socket, M::kViewDone), nullptr);
  const uint64_t peer = h.bound(one.camera())->peer();
  ASSERT_EQ(h.peer(peer)->view().slots_size(), 2);
  EXPECT_EQ(h.peer(peer)->view().slots(0).source(), two.camera());
  EXPECT_EQ(h.peer(peer)->view().slots(1).speaker_of_group(), std::stoull(room.number));
  h.say(one.socket, R"({"id":5,"setView":{"slots":[)" + slot(0, one.camera()) + "]}}");
  EXPECT_EQ(h.refusal(one.socket), v1::REFUSAL_CODE_BAD_REQUEST);
}

TEST_F(Host, delivers_a_private_message_to_its_two_ends_only) {
  const Person a = enter("Li"), b = enter("Wang"), c = enter("Zhao");
  do_command(a, R"("commandId":"t","sendChat":{"text":"between us","toParticipantId":")" + b.id + "\"}");
  for (const auto& [person, expected] : {std::pair(&a, 1), std::pair(&b, 1), std::pair(&c, 0)}) {
    const M* change = h.find(person->socket, M::kChange);
    ASSERT_NE(change, nullptr);
    EXPECT_EQ(change->change().chat_size(), expected);
  }
  EXPECT_EQ(h.find(a.socket, M::kChange)->change().number(), h.find(c.socket, M::kChange)->change().number());
  for (const std::string& text : h.raw[c.socket]) EXPECT_EQ(text.find("between us"), std::string::npos);
  h.say(c.socket, R"({"id":6,"resync":{}})");
  EXPECT_EQ(h.find(c.socket, M::kState)->state().chat_size(), 0);
  h.say(b.socket, R"({"id":6,"resync":{}})");
  EXPECT_EQ(h.find(b.socket, M::kState)->state().chat_size(), 1);
}

TEST_F(Host, resumes_a_session_with_its_place_and_the_whole_state) {
  const Person one = enter("Li");
  const Person two = enter("Wang");
  h.lose(two.socket);
  EXPECT_EQ(seen_by(one, two.id).connection(), v1::CONNECTION_STATE_RECONNECTING);
  h.pass(Duration::seconds(30));
  const SocketId back = h.hello(h.token_of(two.socket));
  ASSERT_NE(h.find(back, M::kWelcome), nullptr);
  EXPECT_TRUE(h.find(back, M::kWelcome)->welcome().resumed());
  ASSERT_NE(h.find(back, M::kState), nullptr);
  EXPECT_EQ(h.find(back, M::kState)->state().participants_size(), 2);
  EXPECT_EQ(seen_by(one, two.id).connection(), v1::CONNECTION_STATE_IN);
  EXPECT_NE(h.bound(two.camera()), nullptr);
}

TEST_F(Host, takes_a_resume_token_once_when_its_successor_has_arrived) {
  const Person person = enter("Li");
  const std::string token = h.token_of(person.socket);
  h.lose(person.socket);
  const SocketId back = h.hello(token);
  EXPECT_TRUE(h.find(back, M::kWelcome)->welcome().resumed());
  ping(back);
  const SocketId thief = h.hello(token);
  EXPECT_FALSE(h.find(thief, M::kWelcome)->welcome().resumed());
  EXPECT_FALSE(h.closed.contains(back));
}

// A socket that ends before its client has read the Welcome must not cost it its place.
TEST_F(Host, resumes_by_the_same_token_until_one_welcome_has_arrived) {
  const Person person = enter("Li");
  const std::string token = h.token_of(person.socket);
  for (int i = 0; i < 3; ++i) {
    const SocketId unheard = h.hello(token);
    EXPECT_TRUE(is_resumed(unheard)) << i;
    if (i != 1) h.lose(unheard);
  }
  const SocketId back = h.hello(token);
  ASSERT_TRUE(is_resumed(back));
  EXPECT_EQ(h.find(back, M::kState)->state().participants_size(), 1);
  ping(back);
  EXPECT_FALSE(is_resumed(h.hello(token)));
  EXPECT_FALSE(h.closed.contains(back));
  EXPECT_TRUE(is_resumed(h.hello(h.token_of(back))));
}

TEST_F(Host, spends_the_tokens_of_welcomes_that_were_passed_over) {
  const Person person = enter("Li");
  const std::string token = h.token_of(person.socket);
  const SocketId unheard = h.hello(token);
  const SocketId back = h.hello(token);
  EXPECT_FALSE(is_resumed(h.hello(h.token_of(unheard))));
  EXPECT_TRUE(is_resumed(h.hello(h.token_of(back))));
}

TEST_F(Host, resumes_by_the_same_token_across_a_restart_when_the_welcome_had_not_arrived) {
  const Person person = enter("Li");
  const SocketId back = h.hello(h.token_of(person.socket));
  ping(back);
  const SocketId unheard = h.hello(h.token_of(back));
  EXPECT_TRUE(is_resumed(unheard));
  h.restart_host();
  EXPECT_FALSE(is_resumed(h.hello(h.token_of(person.socket))));
  EXPECT_TRUE(is_resumed(h.hello(h.token_of(back))));
}

TEST_F(Host, tells_whoever_was_removed_while_cut_off_when_he_comes_back) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  const SocketId second = h.hello(h.token_of(person.socket));
  ping(second);
  // Whether serve has noticed that the socket is dead makes no difference.
  for (const bool noticed : {false, true}) {
    const Person other = enter("Zhao");
    const SocketId socket = h.hello(h.token_of(other.socket));
    ping(socket);
    if (noticed) h.lose(socket);
    do_command(chair, R"("commandId":"r)" + other.id + R"(","remove":{"participantId":")" + other.id + "\"}");
    const SocketId back = h.hello(h.token_of(socket));
    EXPECT_TRUE(is_resumed(back));
    ASSERT_NE(h.find(back, M::kLeft), nullptr) << noticed;
    EXPECT_EQ(h.find(back, M::kLeft)->left().reason(), v1::LEAVE_REASON_REMOVED);
  }
  h.lose(second);
  do_command(chair, R"("commandId":"e","end":{})");
  h.pass(Duration::seconds(3));
  const SocketId back = h.hello(h.token_of(second));
  ASSERT_NE(h.find(back, M::kLeft), nullptr);
  EXPECT_EQ(h.find(back, M::kLeft)->left().reason(), v1::LEAVE_REASON_CONFERENCE_ENDED);
  const CreatedConference next = h.create();
  EXPECT_NE(h.join(back, next.number, "Wang"), "");
  const SocketId again = h.hello(h.token_of(back));
  EXPECT_EQ(h.find(again, M::kLeft), nullptr) << "the farewell was of another conference";
}

TEST_F(Host, refuses_every_altered_resume_token) {
  const Person person = enter("Li");
  const std::string token = h.token_of(person.socket);
  h.lose(person.socket);
  for (size_t i = 0; i < token.size(); i += 7) {
    std::string altered = token;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(h.find(h.hello(altered), M::kWelcome)->welcome().resumed()) << i;
    h.pass(Duration::seconds(1));
  }
  EXPECT_TRUE(h.find(h.hello(token), M::kWelcome)->welcome().resumed());
}

TEST_F(Host, lets_the_newest_socket_of_a_session_win) {
  const Person person = enter("Li");
  const SocketId newer = h.hello(h.token_of(person.socket));
  EXPECT_TRUE(h.find(newer, M::kWelcome)->welcome().resumed());
  ASSERT_NE(h.find(person.socket, M::kLeft), nullptr);
  EXPECT_EQ(h.find(person.socket, M::kLeft)->left().reason(), v1::LEAVE_REASON_REPLACED);
  EXPECT_EQ(h.closed.at(person.socket), CloseCode::Replaced);
  h.pass(Duration::seconds(70));
  EXPECT_EQ(h.find(newer, M::kLeft), nullptr);
}

TEST_F(Host, lets_a_participant_go_who_stays_away_too_long) {
  const Person one = enter("Li");
  const Person two = enter("Wang");
  h.lose(two.socket);
  h.pass(Duration::seconds(58));
  EXPECT_EQ(seen_by(one, two.id).connection(), v1::CONNECTION_STATE_RECONNECTING);
  h.pass(Duration::seconds(5));
  const M* change = h.find(one.socket, M::kChange);
  ASSERT_EQ(change->change().gone_size(), 1);
  EXPECT_EQ(change->change().gone(0), two.id);
  EXPECT_EQ(h.bound(two.camera()), nullptr);
  h.pass(Duration::seconds(62));
  EXPECT_FALSE(h.find(h.hello(h.token_of(two.socket)), M::kWelcome)->welcome().resumed());
}

TEST_F(Host, brings_conference_roles_and_media_back_after_a_restart) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  h.peer_state(h.bound(person.camera())->peer(), v1::PEER_STATE_CONNECTED);
  do_command(chair, R"("commandId":"m","muteOther":{"participantId":")" + person.id + "\"}");
  const size_t binds = h.asked_count(v1::MediaMessage::kBindSource);
  h.restart_host();
  h.node_back(false);
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kBindSource), binds) << "the node keeps what it holds";
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kClosePeer), 0u);
  const SocketId back = h.hello(h.token_of(person.socket));
  ASSERT_TRUE(h.find(back, M::kWelcome)->welcome().resumed());
  const v1::State& state = h.find(back, M::kState)->state();
  ASSERT_EQ(state.participants_size(), 2);
  EXPECT_EQ(state.participants(0).role(), v1::ROLE_CHAIR);
  EXPECT_TRUE(state.participants(1).muted_by_chair());
  EXPECT_EQ(h.find(back, M::kPeerChanged), nullptr) << "the peer lives on";
  const Person third = enter("Zhao");
  EXPECT_GT(third.microphone(), person.sources.back().number());
}

TEST_F(Host, refuses_a_token_used_before_the_restart_once_its_owner_is_back) {
  const Person person = enter("Li");
  const std::string first = h.token_of(person.socket);
  h.restart_host();
  const SocketId back = h.hello(first);
  EXPECT_TRUE(h.find(back, M::kWelcome)->welcome().resumed());
  ping(back);
  EXPECT_FALSE(h.find(h.hello(first), M::kWelcome)->welcome().resumed());
}

TEST_F(Host, refuses_a_spent_token_after_a_restart_even_before_its_owner_is_back) {
  const Person person = enter("Li");
  const std::string spent = h.token_of(person.socket);
  h.lose(person.socket);
  const SocketId back = h.hello(spent);
  ping(back);
  h.restart_host();
  EXPECT_FALSE(h.find(h.hello(spent), M::kWelcome)->welcome().resumed());
  EXPECT_TRUE(h.find(h.hello(h.token_of(back)), M::kWelcome)->welcome().resumed());
}

TEST_F(Host, forgets_the_generations_of_those_who_are_out) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  EXPECT_EQ(h.generations.size(), 2u);
  do_command(person, R"("commandId":"l","leave":{})");
  EXPECT_EQ(h.generations.size(), 1u);
  h.generations["of nobody"] = 7;
  h.restart_host();
  EXPECT_EQ(h.generations.size(), 1u);
}

TEST_F(Host, gives_a_socket_the_standing_of_what_it_is_for) {
  const SocketId open = h.open();
  EXPECT_FALSE(h.standing.contains(open));
  const Person person = enter("Li");
  EXPECT_EQ(h.standing.at(person.socket), Standing::Member);
  do_command(person, R"("commandId":"l","leave":{})");
  EXPECT_EQ(h.standing.at(person.socket), Standing::Guest);
}

TEST_F(Host, slows_down_an_address_that_makes_sessions_without_end) {
  v1::RefusalCode last = v1::REFUSAL_CODE_UNSPECIFIED;
  for (int i = 0; i < 620; ++i) last = h.refusal(h.hello());
  EXPECT_EQ(last, v1::REFUSAL_CODE_TOO_MANY_REQUESTS);
  const SocketId elsewhere = h.open(core::IpAddress::v4(10, 0, 0, 2));
  h.say(elsewhere, R"({"id":1,"hello":{"protocol":1}})");
  EXPECT_NE(h.find(elsewhere, M::kWelcome), nullptr);
}

TEST_F(Host, asks_for_a_new_peer_when_another_node_answers) {
  const Person person = enter("Li");
  const Person other = enter("Wang");
  h.lose_node();
  h.offer(person.socket);
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_MEDIA_UNAVAILABLE);
  h.node_back(true);
  ASSERT_NE(h.find(person.socket, M::kPeerChanged), nullptr);
  EXPECT_TRUE(h.find(person.socket, M::kPeerChanged)->peer_changed().please_reconnect());
  EXPECT_EQ(h.bound(person.camera()), nullptr);
  h.say(person.socket, R"({"id":7,"offer":{"sdp":"v=0","newPeer":true}})");
  ASSERT_NE(h.bound(person.camera()), nullptr);
  EXPECT_TRUE(h.bound(person.camera())->forwarded());
  EXPECT_EQ(h.bound(other.camera()), nullptr) << "the other has not offered yet";
}

TEST_F(Host, asks_whoever_is_on_the_join_page_for_a_new_peer_however_long_the_node_was_away) {
  for (const int seconds : {1, 5}) {
    const SocketId socket = h.hello();
    h.offer(socket);
    h.lose_node();
    h.pass(Duration::seconds(seconds));
    h.node_back(true);
    ASSERT_NE(h.find(socket, M::kPeerChanged), nullptr) << seconds;
    EXPECT_TRUE(h.find(socket, M::kPeerChanged)->peer_changed().please_reconnect());
  }
}

TEST_F(Host, lets_go_of_peers_that_ended_while_nobody_listened_to_the_node) {
  const Person person = enter("Li");
  const uint64_t peer = h.bound(person.camera())->peer();
  h.lose_node();
  for (v1::SnapshotPeer& held : *h.node.mutable_peers()) held.set_state(v1::PEER_STATE_FAILED);
  h.node_back(false);
  EXPECT_EQ(h.peer(peer), nullptr);
  ASSERT_NE(h.find(person.socket, M::kPeerChanged), nullptr);
  EXPECT_TRUE(h.find(person.socket, M::kPeerChanged)->peer_changed().please_reconnect());
  h.say(person.socket, R"({"id":7,"offer":{"sdp":"v=0","newPeer":true}})");
  EXPECT_NE(h.bound(person.camera()), nullptr);
}

TEST_F(Host, takes_no_answer_of_an_older_offer_for_one_of_the_newer) {
  const SocketId socket = h.hello();
  h.host->handle_text(socket, R"({"id":2,"offer":{"sdp":"v=0"}})");
  h.host->handle_text(socket, R"({"id":3,"offer":{"sdp":"bad","newPeer":true}})");
  // The first is answered, the second refused, in this order.
  h.turn();
  h.join(socket, room.number, "Li");
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kBindSource), 0u) << "there is no peer";
  EXPECT_EQ(h.find(socket, M::kAnswer), nullptr);
  h.offer(socket);
  EXPECT_EQ(h.asked_count(v1::MediaMessage::kBindSource), 4u);
}

TEST_F(Host, knows_that_a_peer_is_back_however_soon_after_it_went) {
  const Person person = enter("Li");
  const uint64_t peer = h.bound(person.camera())->peer();
  h.peer_state(peer, v1::PEER_STATE_CONNECTED);
  for (const v1::PeerState state : {v1::PEER_STATE_DISCONNECTED, v1::PEER_STATE_CONNECTED}) {
    v1::MediaMessage event;
    event.mutable_peer_state()->set_peer(peer);
    event.mutable_peer_state()->set_state(state);
    h.host->handle_node_event(event);
  }
  h.turn();
  h.say(person.socket, R"({"id":9,"resync":{}})");
  const v1::ServerMessage* reply = h.find(person.socket, M::kState);
  ASSERT_NE(reply, nullptr);
  EXPECT_TRUE(reply->state().participants(0).sources(0).active());
}

TEST_F(Host, takes_the_end_of_a_replaced_peer_for_that_of_no_other) {
  const Person person = enter("Li");
  const uint64_t peer = h.bound(person.camera())->peer();
  h.host->handle_text(person.socket, R"({"id":3,"offer":{"sdp":"v=0","newPeer":true}})");
  v1::MediaMessage event;
  event.mutable_peer_state()->set_peer(peer);
  event.mutable_peer_state()->set_state(v1::PEER_STATE_FAILED);
  h.host->handle_node_event(event);
  h.turn();
  EXPECT_EQ(h.find(person.socket, M::kPeerChanged), nullptr);
  EXPECT_NE(h.bound(person.camera()), nullptr);
}

TEST_F(Host, closes_peers_of_nobody_that_a_node_still_holds) {
  h.node.add_peers()->set_peer(4711);
  h.node.add_groups()->set_group(5);
  h.node_back(false);
  EXPECT_EQ(h.node.peers_size(), 0);
  EXPECT_EQ(h.node.groups_size(), 0);
}

TEST_F(Host, marks_sources_active_only_while_the_peer_is_connected) {
  const Person person = enter("Li");
  EXPECT_FALSE(seen_by(person, person.id).sources(1).active());
  const uint64_t peer = h.bound(person.camera())->peer();
  h.peer_state(peer, v1::PEER_STATE_CONNECTED);
  EXPECT_TRUE(seen_by(person, person.id).sources(1).active());
  h.peer_state(peer, v1::PEER_STATE_DISCONNECTED);
  EXPECT_FALSE(seen_by(person, person.id).sources(1).active());
}

TEST_F(Host, passes_speakers_on_at_most_five_times_a_second) {
  const Person person = enter("Li");
  v1::MediaMessage event;
  event.mutable_group_speakers()->set_group(std::stoull(room.number));
  for (uint32_t i = 0; i < 20; ++i) {
    event.mutable_group_speakers()->set_active(i);
    h.node_event(event);
    h.pass(Duration::millis(50));
  }
  h.pass(Duration::millis(300));
  size_t told = 0;
  for (const M& message : h.got(person.socket)) told += message.has_speakers() ? 1 : 0;
  EXPECT_LE(told, 7u);
  EXPECT_EQ(h.find(person.socket, M::kSpeakers)->speakers().active(), 19u);
}

TEST_F(Host, says_which_pictures_are_paused_for_want_of_bandwidth_and_again_after_a_resume) {
  const Person one = enter("Li");
  const Person two = enter("Wang");
  v1::MediaMessage event;
  v1::SlotPaused& slot = *event.mutable_slot_paused();
  slot.set_peer(h.bound(one.camera())->peer());
  slot.set_use(v1::LINE_USE_VIDEO_SLOT);
  slot.set_index(3);
  slot.set_source(two.camera());
  h.node_event(event);
  const M* told = h.find(one.socket, M::kPausedPictures);
  ASSERT_NE(told, nullptr);
  ASSERT_EQ(told->paused_pictures().pictures_size(), 1);
  EXPECT_EQ(told->paused_pictures().pictures(0).index(), 3u);
  EXPECT_EQ(told->paused_pictures().pictures(0).source(), two.camera());
  EXPECT_EQ(h.find(two.socket, M::kPausedPictures), nullptr);

  h.lose(one.socket);
  const SocketId back = h.hello(h.token_of(one.socket));
  ASSERT_NE(h.find(back, M::kPausedPictures), nullptr);
  EXPECT_EQ(h.find(back, M::kPausedPictures)->paused_pictures().pictures_size(), 1);
  slot.set_source(0);
  h.node_event(event);
  EXPECT_EQ(h.find(back, M::kPausedPictures)->paused_pictures().pictures_size(), 0);
}

v1::MediaMessage demand_of(uint64_t peer, uint32_t source, uint32_t layers) {
  v1::MediaMessage event;
  event.mutable_layer_demand()->set_source(source);
  event.mutable_layer_demand()->set_peer(peer);
  event.mutable_layer_demand()->set_use(v1::LINE_USE_CAMERA);
  event.mutable_layer_demand()->set_layers(layers);
  return event;
}

TEST_F(Host, tells_the_owner_and_nobody_else_which_layers_of_his_are_watched) {
  const Person person = enter("Li");
  const Person other = enter("Wang");
  h.node_event(demand_of(h.bound(person.camera())->peer(), person.camera(), 5));
  const M* told = h.find(person.socket, M::kSourceDemand);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->source_demand().kind(), v1::SOURCE_KIND_CAMERA);
  EXPECT_EQ(told->source_demand().layers(), 5u);
  EXPECT_EQ(h.find(other.socket, M::kSourceDemand), nullptr);
  h.node_event(demand_of(4711, 9999, 1));
}

TEST_F(Host, tells_watched_layers_again_after_a_resume_and_after_a_restart) {
  const Person person = enter("Li");
  const uint64_t peer = h.bound(person.camera())->peer();
  h.node_event(demand_of(peer, person.camera(), 1));
  const std::string token = h.token_of(person.socket);
  h.lose(person.socket);
  h.node_event(demand_of(peer, person.camera(), 3));
  const SocketId back = h.hello(token);
  ASSERT_NE(h.find(back, M::kSourceDemand), nullptr);
  EXPECT_EQ(h.find(back, M::kSourceDemand)->source_demand().layers(), 3u);
  *h.node.add_demands() = demand_of(peer, person.camera(), 1).layer_demand();
  h.restart_host();
  h.node_back(false);
  const SocketId again = h.hello(h.token_of(back));
  ASSERT_NE(h.find(again, M::kSourceDemand), nullptr);
  EXPECT_EQ(h.find(again, M::kSourceDemand)->source_demand().layers(), 1u);
}

TEST_F(Host, says_nothing_of_layers_to_a_new_peer_that_the_node_has_not_spoken_of) {
  const Person person = enter("Li");
  h.node_event(demand_of(h.bound(person.camera())->peer(), person.camera(), 1));
  h.say(person.socket, R"({"id":7,"offer":{"sdp":"v=0","newPeer":true}})");
  const SocketId back = h.hello(h.token_of(person.socket));
  EXPECT_EQ(h.find(back, M::kSourceDemand), nullptr);
}

TEST_F(Host, answers_a_broken_message_and_goes_on_until_it_is_abuse) {
  const SocketId socket = h.hello();
  h.say(socket, "{\"id\":");
  EXPECT_EQ(h.refusal(socket), v1::REFUSAL_CODE_BAD_REQUEST);
  h.say(socket, R"({"id":8,"ping":{"at":"5"},"somethingNew":{"x":[1]}})");
  ASSERT_NE(h.find(socket, M::kPong), nullptr);
  EXPECT_EQ(h.find(socket, M::kPong)->pong().at(), 5);
  for (int i = 0; i < 50; ++i) h.say(socket, std::string(100, '['));
  EXPECT_EQ(h.closed.at(socket), CloseCode::PolicyViolation);
}

TEST_F(Host, limits_messages_of_one_socket) {
  const Person person = enter("Li");
  for (int i = 0; i < 110; ++i) do_command(person, R"("setHand":{"up":true})");
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_TOO_MANY_REQUESTS);
  EXPECT_GT(h.find(person.socket, M::kRefused)->refused().retry_after_seconds(), 0u);
  h.pass(Duration::seconds(5));
  do_command(person, R"("commandId":"later","setHand":{"up":false})");
  EXPECT_EQ(h.find(person.socket, M::kCommandDone)->command_done().command_id(), "later");
}

TEST_F(Host, forgets_a_session_and_closes_its_peer_after_the_resume_window) {
  const SocketId socket = h.hello();
  h.offer(socket);
  EXPECT_EQ(h.node.peers_size(), 1);
  h.lose(socket);
  h.pass(Duration::seconds(65));
  EXPECT_EQ(h.node.peers_size(), 0);
  EXPECT_EQ(h.metrics.get(Metric::Sessions), 0u);
}

TEST_F(Host, a_full_box_keeps_newcomers_and_new_conferences_out_but_nobody_who_is_in_and_no_chair) {
  const Person inside = enter("Li");
  const auto loads = [&](std::initializer_list<uint32_t> levels) {
    v1::MediaMessage event;
    for (const uint32_t level : levels) event.mutable_health()->add_loads()->set_level(level);
    h.node_event(event);
  };
  loads({1, 0});
  EXPECT_EQ(h.metrics.get(Metric::BoxFull), 0u) << "one worker has room";
  EXPECT_NE(h.create().number, "");
  const SocketId newcomer = h.hello();
  h.offer(newcomer);
  EXPECT_EQ(h.join(newcomer, room.number, "Wang"), "") << "but this conference lives on the other";
  EXPECT_EQ(h.refusal(newcomer), v1::REFUSAL_CODE_BOX_FULL);
  EXPECT_GT(h.find(newcomer, M::kRefused)->refused().retry_after_seconds(), 0u);
  loads({2, 1});
  EXPECT_EQ(h.metrics.get(Metric::BoxFull), 1u);
  EXPECT_EQ(h.create().number, "");
  do_command(inside, R"("commandId":"c1","setHand":{"up":true})");
  EXPECT_NE(h.find(inside.socket, M::kCommandDone), nullptr);
  h.asked.clear();
  h.offer(inside.socket);
  ASSERT_FALSE(h.asked.empty());
  EXPECT_TRUE(h.asked.front().open_peer().is_member()) << "so that the node takes it in again";
  EXPECT_NE(h.join(h.hello(), room.number, "Zhao", HostHarness::invite_of(room)), "");
  loads({0, 0});
  EXPECT_NE(h.join(newcomer, room.number, "Wang"), "");
}

TEST_F(Host, ends_for_all_and_frees_the_node) {
  const Person chair = enter("Li", true);
  const Person person = enter("Wang");
  do_command(chair, R"("commandId":"e","end":{})");
  EXPECT_EQ(h.find(person.socket, M::kLeft)->left().reason(), v1::LEAVE_REASON_CONFERENCE_ENDED);
  EXPECT_EQ(h.node.sources_size(), 0);
  EXPECT_EQ(h.node.groups_size(), 0);
  h.pass(Duration::seconds(3));
  EXPECT_EQ(h.metrics.get(Metric::Conferences), 0u);
}

TEST_F(Host, ends_a_conference_that_stays_empty) {
  h.pass(Duration::seconds(1805));
  EXPECT_EQ(h.host->look_up(room.number), std::nullopt);
}

TEST_F(Host, one_session_is_in_one_conference) {
  const CreatedConference other = h.create();
  const Person person = enter("Li");
  h.join(person.socket, other.number, "Li");
  EXPECT_EQ(h.refusal(person.socket), v1::REFUSAL_CODE_CONFLICT);
  do_command(person, R"("commandId":"l","leave":{})");
  EXPECT_EQ(h.find(person.socket, M::kLeft)->left().reason(), v1::LEAVE_REASON_OWN_WISH);
  EXPECT_NE(h.join(person.socket, other.number, "Li"), "");
}

}  // namespace
}  // namespace huitang::api
