// What text scenarios do not show: snapshots, replay, limits of memory, tables. Rules are in tests/scenario.
#include "conference/conference.h"

#include <gtest/gtest.h>

#include <set>

#include "conference/text.h"

namespace huitang::conference {
namespace {

constexpr core::WallTime kNow = core::WallTime::from_unix_millis(1'800'000'000'000);
constexpr Actor kApi{std::nullopt, v1::ENTRANCE_API};

Conference new_conference(Settings settings = {}) {
  return *Conference::create(kNow, {"123456789", "Weekly", settings});
}

Actor page(std::optional<ParticipantId> who = {}) { return {who, v1::ENTRANCE_PAGE}; }

Join join_of(const std::string& name, uint32_t first_source) {
  Join j;
  j.session.value = "session of " + name;
  j.name = name;
  j.first_source = SourceNumber(first_source);
  return j;
}

ParticipantId join(Conference& c, const std::string& name, bool has_chair_token = false) {
  const auto n = c.snapshot().next_participant.value();
  Join j = join_of(name, n * kSourcesPerParticipant);
  j.has_chair_token = has_chair_token;
  const auto effects = c.apply(kNow, {"", j}, page());
  EXPECT_TRUE(effects);
  return *effects->joined;
}

TEST(Conference, needs_nine_digits_and_a_short_title) {
  EXPECT_FALSE(Conference::create(kNow, {"12345678", "x", {}}));
  EXPECT_FALSE(Conference::create(kNow, {"12345678a", "x", {}}));
  EXPECT_FALSE(Conference::create(kNow, {"123456789", std::string(121, 'x'), {}}));
  EXPECT_TRUE(Conference::create(kNow, {"123456789", "", {}}));
}

TEST(Conference, draws_numbers_of_nine_digits) {
  core::SeededRandom random(1);
  for (int i = 0; i < 1000; ++i) {
    const std::string number = draw_number(random);
    EXPECT_EQ(number.size(), 9u);
    EXPECT_NE(number[0], '0');
  }
}

TEST(Conference, gives_each_participant_four_source_numbers_of_his_own) {
  Conference c = new_conference();
  std::set<SourceNumber> numbers;
  for (const ParticipantId id : {join(c, "alice"), join(c, "bob")})
    for (const v1::SourceKind kind : kSourceKinds) numbers.insert(c.find(id)->source(kind));
  EXPECT_EQ(numbers.size(), 2 * kSourcesPerParticipant);
}

TEST(Conference, refuses_source_numbers_that_overlap) {
  Conference c = new_conference();
  ASSERT_TRUE(c.apply(kNow, {"", join_of("alice", 10)}, page()));
  for (const uint32_t first : {0u, 7u, 13u, UINT32_MAX}) {
    const auto result = c.apply(kNow, {"", join_of("bob", first)}, page());
    ASSERT_FALSE(result) << first;
    EXPECT_EQ(result.error().code, v1::REFUSAL_CODE_INTERNAL);
  }
  EXPECT_TRUE(c.apply(kNow, {"", join_of("bob", 14)}, page()));
}

TEST(Conference, never_uses_a_participant_id_twice) {
  Conference c = new_conference();
  const ParticipantId first = join(c, "alice");
  ASSERT_TRUE(c.apply(kNow, {"", Leave{}}, page(first)));
  EXPECT_GT(join(c, "alice"), first);
}

TEST(Conference, numbers_changes_without_gaps_and_skips_what_changes_nothing) {
  Conference c = new_conference();
  const auto first = c.apply(kNow, {"", SetLock{true}}, kApi);
  const auto none = c.apply(kNow, {"", SetLock{true}}, kApi);
  const auto second = c.apply(kNow, {"", SetLock{false}}, kApi);
  EXPECT_EQ(first->change->number, 1u);
  EXPECT_FALSE(none->change);
  EXPECT_EQ(second->change->number, 2u);
}

TEST(Conference, says_who_did_it_by_which_entrance_even_when_he_is_gone_after_it) {
  Conference c = new_conference();
  const ParticipantId alice = join(c, "alice");
  const auto left = c.apply(kNow, {"id", Leave{}}, page(alice));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->change->by, alice);
  EXPECT_EQ(left->change->by_name, "alice");
  EXPECT_EQ(left->change->entrance, v1::ENTRANCE_PAGE);
  EXPECT_EQ(left->change->command_id, "id");
}

TEST(Conference, tells_media_from_nothing_what_it_told_step_by_step) {
  Conference c = new_conference();
  const ParticipantId alice = join(c, "alice", true);
  const ParticipantId bob = join(c, "bob");
  ASSERT_TRUE(c.apply(kNow, {"", SetMicrophone{true}}, page(bob)));
  ASSERT_TRUE(c.apply(kNow, {"", StartShare{true}}, page(alice)));
  size_t forwarded = 0;
  for (const MediaIntent& intent : c.media()) {
    const auto* source = std::get_if<ForwardSource>(&intent);
    forwarded += source && source->forwarded;
  }
  EXPECT_EQ(c.media().size(), 10u);
  EXPECT_EQ(forwarded, 3u);
  EXPECT_TRUE(c.media_of(ParticipantId(77)).empty());
}

TEST(Conference, remembers_so_many_command_ids_of_each_actor) {
  Settings settings;
  settings.limits.commands_kept = 2;
  Conference c = new_conference(settings);
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(c.apply(kNow, {id, SetLock{!c.info().locked}}, kApi));
  EXPECT_TRUE(c.apply(kNow, {"b", SetLock{false}}, kApi)->repeated);
  EXPECT_FALSE(c.apply(kNow, {"a", SetLock{false}}, kApi)->repeated);
}

TEST(Conference, remembers_no_more_gone_people_than_it_should) {
  Settings settings;
  settings.limits.commands_kept = 3;
  Conference c = new_conference(settings);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(c.apply(kNow, {"bye", Leave{}}, page(join(c, "alice"))));
  EXPECT_EQ(c.snapshot().done_commands.size(), 3u);
  EXPECT_TRUE(c.apply(kNow, {"bye", Leave{}}, page(ParticipantId(10)))->repeated);
}

TEST(Conference, does_not_let_strangers_use_up_command_ids_of_the_api) {
  Conference c = new_conference();
  EXPECT_FALSE(c.apply(kNow, {"id", SetLock{true}}, page()));
  const auto result = c.apply(kNow, {"id", SetLock{true}}, kApi);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->change);
}

TEST(Conference, refuses_a_command_id_that_is_too_long) {
  Conference c = new_conference();
  const auto result = c.apply(kNow, {std::string(65, 'x'), SetLock{true}}, kApi);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, v1::REFUSAL_CODE_BAD_REQUEST);
}

TEST(Conference, bars_no_more_sessions_than_it_should) {
  Settings settings;
  settings.limits.barred_kept = 2;
  Conference c = new_conference(settings);
  for (const char* name : {"a", "b", "c"})
    ASSERT_TRUE(c.apply(kNow, {"", RemoveParticipant{join(c, name)}}, kApi));
  EXPECT_FALSE(c.is_barred({"session of a"}));
  EXPECT_TRUE(c.is_barred({"session of b"}));
  EXPECT_TRUE(c.is_barred({"session of c"}));
}

TEST(Conference, comes_back_from_its_snapshot) {
  Conference c = new_conference();
  join(c, "alice", true);
  const auto back = Conference::from_snapshot(c.snapshot());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->snapshot(), c.snapshot());
}

TEST(Conference, believes_no_snapshot_that_cannot_be) {
  Conference c = new_conference();
  const ParticipantId alice = join(c, "alice", true);
  const ParticipantId bob = join(c, "bob", true);
  const auto breaks = [&](auto spoil) {
    State s = c.snapshot();
    spoil(s);
    return !Conference::from_snapshot(s);
  };
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(bob).role = v1::ROLE_CHAIR; }));
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(alice).role = v1::ROLE_CO_CHAIR; }));
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(bob).id = ParticipantId(9); }));
  EXPECT_TRUE(breaks([&](State& s) { s.next_participant = bob; }));
  EXPECT_TRUE(
      breaks([&](State& s) { s.participants.at(bob).first_source = s.participants.at(alice).first_source; }));
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(bob).session = s.participants.at(alice).session; }));
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(bob).connection = v1::CONNECTION_STATE_LEFT; }));
  EXPECT_TRUE(breaks([&](State& s) { s.participants.at(bob).away_since = kNow; }));
  EXPECT_TRUE(breaks([&](State& s) {
    for (auto& [_, p] : s.participants) p.share = Share::Picture;
  }));
  EXPECT_TRUE(breaks([&](State& s) { s.info.ended = true; }));
  EXPECT_TRUE(breaks([&](State& s) { s.info.empty_since = kNow; }));
  EXPECT_FALSE(breaks([&](State&) {}));
}

TEST(Conference, replays_only_the_next_change) {
  Conference c = new_conference();
  const Conference before = c;
  const auto first = c.apply(kNow, {"", SetLock{true}}, kApi);
  const auto second = c.apply(kNow, {"", SetLock{false}}, kApi);
  Conference replayed = before;
  EXPECT_FALSE(replayed.replay({&*second->change, 1}));
  EXPECT_EQ(replayed.snapshot(), before.snapshot());
  EXPECT_TRUE(replayed.replay({&*first->change, 1}));
  EXPECT_FALSE(replayed.replay({&*first->change, 1}));
  EXPECT_TRUE(replayed.replay({&*second->change, 1}));
  EXPECT_EQ(replayed.snapshot(), c.snapshot());
}

TEST(Conference, replays_nothing_that_does_not_fit) {
  Conference c = new_conference();
  Change stranger_leaves;
  stranger_leaves.number = 1;
  stranger_leaves.gone = {{ParticipantId(5), v1::LEAVE_REASON_OWN_WISH}};
  EXPECT_FALSE(c.replay({&stranger_leaves, 1}));
  Change nobody_comes;
  nobody_comes.number = 1;
  nobody_comes.participants.resize(1);
  EXPECT_FALSE(c.replay({&nobody_comes, 1}));
  EXPECT_EQ(c.snapshot().last_change, 0u);
}

TEST(SeenBy, hides_who_wrote_a_private_message_and_that_there_was_one) {
  Change change;
  change.number = 7;
  change.by = ParticipantId(1);
  change.by_name = "alice";
  change.command_id = "x";
  change.entrance = v1::ENTRANCE_PAGE;
  change.chat = {{ChatId(1), ParticipantId(1), "alice", ParticipantId(2), "secret", kNow}};
  EXPECT_EQ(seen_by(change, ParticipantId(1)), change);
  EXPECT_EQ(seen_by(change, ParticipantId(2)), change);
  Change bare;
  bare.number = 7;
  EXPECT_EQ(seen_by(change, ParticipantId(3)), bare);
}

TEST(ParticipantIds, have_a_text_form) {
  EXPECT_EQ(to_text(ParticipantId(17)), "p17");
  EXPECT_EQ(parse_participant_id("p17"), ParticipantId(17));
  for (const char* text : {"", "p", "p0", "p017", "17", "q17", "p17 ", "p-1", "p4294967296"})
    EXPECT_EQ(parse_participant_id(text), ParticipantId()) << text;
}

TEST(Text, counts_code_points_and_refuses_broken_utf8) {
  EXPECT_EQ(count_chars("会堂 a"), 4u);
  EXPECT_EQ(count_chars("\xF0\x9F\x98\x80"), 1u);
  for (const char* bad : {"\x80", "\xC0\x80", "\xE4\xBC", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"})
    EXPECT_FALSE(count_chars(bad)) << bad;
}

TEST(Text, trims_and_finds_what_is_not_printable) {
  EXPECT_EQ(trimmed(" \t会 堂\xE3\x80\x80\n"), "会 堂");
  EXPECT_EQ(trimmed(" \xE3\x80\x80 "), "");
  for (const char* blank : {"", " ", "\xC2\xA0", "\xE2\x80\x8B", "\xE3\x85\xA4", "\xE2\xA0\x80\xE2\x80\x8F"})
    EXPECT_FALSE(is_visible(blank)) << blank;
  EXPECT_TRUE(is_visible("\xC2\xA0会"));
  EXPECT_TRUE(is_printable("a\n\tb", true));
  EXPECT_FALSE(is_printable("a\nb", false));
  EXPECT_FALSE(is_printable("a\x1b[31m", true));
  EXPECT_FALSE(is_printable("\xC2\x85", true));
  EXPECT_FALSE(is_printable("\xE2\x80\xAE", true));
  EXPECT_FALSE(is_printable("\xE2\x81\xA6", true));
}

}  // namespace
}  // namespace huitang::conference
