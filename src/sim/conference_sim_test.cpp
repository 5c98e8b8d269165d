// Conference control under a deterministic simulator (RELIABILITY R22). A failure prints its seed; run one
// seed alone with HUITANG_SEED=n, many with HUITANG_DEEP=1.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sim/conference_world.h"

namespace huitang::sim {
namespace {

const TransitionTable& table() {
  static const TransitionTable parsed = [] {
    std::ifstream file("docs/conference/transitions.md");
    std::stringstream text;
    text << file.rdbuf();
    return TransitionTable::parse(text.str());
  }();
  return parsed;
}

uint64_t seeds(uint64_t quick, uint64_t deep) { return std::getenv("HUITANG_DEEP") ? deep : quick; }

TEST(ConferenceWorld, keeps_its_invariants_and_visits_every_row_of_the_table) {
  if (const char* one = std::getenv("HUITANG_SEED")) {
    const WorldResult alone = run_conference_world(table(), {std::strtoull(one, nullptr, 10)});
    ASSERT_FALSE(alone.broken) << *alone.broken;
    return;
  }
  std::vector<uint64_t> hits(table().size());
  WorldResult sum;
  const uint64_t count = seeds(300, 100'000);
  for (uint64_t seed = 1; seed <= count; ++seed) {
    const WorldResult r = run_conference_world(table(), {seed});
    ASSERT_FALSE(r.broken) << *r.broken;
    for (const size_t row : r.rows_hit) ++hits[row];
    sum.changes += r.changes;
    sum.crashes += r.crashes;
    sum.repeats += r.repeats;
    sum.resyncs += r.resyncs;
    sum.failed_writes += r.failed_writes;
  }
  for (size_t row = 0; row < hits.size(); ++row)
    EXPECT_GT(hits[row], 0u) << "never visited: " << table().text_of(row);
  // A world in which nothing goes wrong proves nothing.
  EXPECT_GT(sum.changes, count * 20);
  EXPECT_GT(sum.crashes, count);
  EXPECT_GT(sum.repeats, count);
  EXPECT_GT(sum.resyncs, count);
  EXPECT_GT(sum.failed_writes, count / 3);
}

TEST(ConferenceWorld, is_the_same_for_the_same_seed) {
  const WorldResult a = run_conference_world(table(), {7});
  const WorldResult b = run_conference_world(table(), {7});
  EXPECT_EQ(a.rows_hit, b.rows_hit);
  EXPECT_EQ(a.changes, b.changes);
}

class PlantedFault : public ::testing::TestWithParam<Fault> {};

TEST_P(PlantedFault, is_found) {
  for (uint64_t seed = 1; seed <= 60; ++seed)
    if (run_conference_world(table(), {seed, 400, GetParam()}).broken) return;
  FAIL() << to_string(GetParam()) << " was not found by 60 seeds";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFault, ::testing::ValuesIn(kAllFaults),
                         [](const auto& fault) { return std::string(to_string(fault.param)); });

TEST(TransitionTable, refuses_words_it_does_not_know) {
  const std::string good = "| set_lock | * | on, locked | nothing | | |\n";
  EXPECT_EQ(TransitionTable::parse(good).size(), 1u);
  for (const char* bad :
       {"| set_lock | * | on, blocked | nothing | | |", "| set_lock | * | | done | | lock door |",
        "| set_lock | * | | done | actor.locked |", "| set_lock | * | actor.tall | done | | |"})
    EXPECT_THROW(TransitionTable::parse(bad), std::runtime_error) << bad;
}

// A wrong row is a wrong oracle, and the simulator has to notice that too.
TEST(TransitionTable, is_not_believed_when_it_is_wrong) {
  std::ifstream file("docs/conference/transitions.md");
  std::stringstream text;
  text << file.rdbuf();
  std::string wrong = text.str();
  const std::string row = "| mute_other | * | target.muted_by_chair | nothing | | |";
  ASSERT_NE(wrong.find(row), std::string::npos);
  wrong.replace(wrong.find(row), row.size(), "");
  const TransitionTable altered = TransitionTable::parse(wrong);
  bool is_found = false;
  for (uint64_t seed = 1; seed <= 20 && !is_found; ++seed)
    is_found = run_conference_world(altered, {seed}).broken.has_value();
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace huitang::sim
