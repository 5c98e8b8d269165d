#include "conference/ledger.h"

#include <gtest/gtest.h>

namespace huitang::conference {
namespace {

constexpr core::WallTime kNow = core::WallTime::from_unix_millis(1'800'000'000'000);

Conference new_conference() { return *Conference::create(kNow, {"123456789", "Weekly", {}}); }
Actor page(std::optional<ParticipantId> who = {}) { return {who, v1::ENTRANCE_PAGE}; }
constexpr Actor kApi{std::nullopt, v1::ENTRANCE_API};

Command join(const std::string& name, uint32_t first_source) {
  Join j;
  j.session.value = name;
  j.name = name;
  j.first_source = SourceNumber(first_source);
  return {"", j};
}

std::vector<Ledger::Write> take_writes(Ledger& ledger) {
  std::vector<Ledger::Write> writes;
  while (auto w = ledger.poll_write()) writes.push_back(std::move(*w));
  return writes;
}
std::vector<Ledger::Outcome> take_outcomes(Ledger& ledger) {
  std::vector<Ledger::Outcome> outcomes;
  while (auto o = ledger.poll_outcome()) outcomes.push_back(std::move(*o));
  return outcomes;
}

TEST(Ledger, tells_nobody_before_the_change_is_written) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, join("alice", 1), page());
  EXPECT_FALSE(ledger.poll_outcome());
  EXPECT_TRUE(ledger.written().snapshot().participants.empty());
  const auto writes = take_writes(ledger);
  ASSERT_EQ(writes.size(), 1u);
  ledger.handle_written(writes[0]);
  const auto outcomes = take_outcomes(ledger);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].token, 1u);
  EXPECT_TRUE(outcomes[0].result);
  EXPECT_EQ(ledger.written().snapshot().participants.size(), 1u);
}

TEST(Ledger, decides_upon_changes_that_are_not_written_yet) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, join("alice", 1), page());
  ledger.handle_command(kNow, 2, {"", SetHand{true, {}}}, page(ParticipantId(1)));
  const auto writes = take_writes(ledger);
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[1].change.number, 2u);
}

TEST(Ledger, holds_a_refusal_back_until_the_changes_it_was_decided_upon_are_written) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, {"", SetLock{true}}, kApi);
  ledger.handle_command(kNow, 2, join("alice", 1), page());
  EXPECT_FALSE(ledger.poll_outcome());
  ledger.handle_written(take_writes(ledger).at(0));
  const auto outcomes = take_outcomes(ledger);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[1].result.error().code, v1::REFUSAL_CODE_LOCKED);
}

TEST(Ledger, answers_at_once_when_nothing_waits) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, {"", SetLock{false}}, kApi);
  EXPECT_EQ(take_outcomes(ledger).size(), 1u);
}

TEST(Ledger, takes_back_what_could_not_be_written) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, {"", SetLock{true}}, kApi);
  ledger.handle_command(kNow, 2, join("alice", 1), page());
  ledger.handle_write_failed(take_writes(ledger).at(0));
  for (const Ledger::Outcome& o : take_outcomes(ledger))
    EXPECT_EQ(o.result.error().code, v1::REFUSAL_CODE_STORE_UNAVAILABLE);
  EXPECT_FALSE(ledger.written().info().locked);
  ledger.handle_command(kNow, 3, join("alice", 1), page());
  const auto writes = take_writes(ledger);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].change.number, 1u);
}

TEST(Ledger, ignores_late_reports_about_writes_it_has_given_up) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, {"", SetLock{true}}, kApi);
  ledger.handle_command(kNow, 2, {"", SetLock{false}}, kApi);
  const auto lost = take_writes(ledger);
  ledger.handle_write_failed(lost[0]);
  take_outcomes(ledger);
  ledger.handle_command(kNow, 3, {"", SetLock{true}}, kApi);
  ledger.handle_write_failed(lost[1]);
  ledger.handle_written(lost[1]);
  EXPECT_FALSE(ledger.poll_outcome());
  ledger.handle_written(take_writes(ledger).at(0));
  EXPECT_TRUE(take_outcomes(ledger).at(0).result);
  EXPECT_TRUE(ledger.written().info().locked);
}

TEST(Ledger, remembers_answers_it_gave_over_a_failed_write_and_no_others) {
  Ledger ledger(new_conference());
  ledger.handle_command(kNow, 1, {"told", SetLock{false}}, kApi);
  ASSERT_TRUE(take_outcomes(ledger).at(0).result);
  ledger.handle_command(kNow, 2, {"lost", SetLock{true}}, kApi);
  ledger.handle_write_failed(take_writes(ledger).at(0));
  take_outcomes(ledger);
  ledger.handle_command(kNow, 3, {"told", SetLock{true}}, kApi);
  EXPECT_TRUE(take_outcomes(ledger).at(0).result->repeated);
  ledger.handle_command(kNow, 4, {"lost", SetLock{true}}, kApi);
  EXPECT_EQ(take_writes(ledger).size(), 1u);
}

TEST(Ledger, refuses_at_once_when_too_much_waits) {
  Ledger ledger(new_conference());
  for (size_t i = 0; i <= Ledger::kMaxPending; ++i)
    ledger.handle_command(kNow, i, {"", SetLock{i % 2 == 0}}, kApi);
  const auto outcomes = take_outcomes(ledger);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].token, Ledger::kMaxPending);
  EXPECT_EQ(outcomes[0].result.error().code, v1::REFUSAL_CODE_STORE_UNAVAILABLE);
}

}  // namespace
}  // namespace huitang::conference
