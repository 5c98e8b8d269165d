// What a receiver gets out of its bandwidth: examples of the rules, and properties over thousands of seeded
// random cases, each with a wrong allocator that it must catch.
#include "sfu/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <tuple>
#include <vector>

#include "core/random.h"

namespace huitang::sfu {
namespace {

using core::Bitrate;
using core::Duration;
using core::Instant;

constexpr Instant kStart = Instant::from_nanos(1'000'000'000);

using Pictures = std::vector<WantedPicture>;
using Allocations = std::vector<PictureAllocation>;

AllocationScratch& scratch() {
  static const auto memory = std::make_unique<AllocationScratch>();
  return *memory;
}

/// What the tests ask; so that a wrong one can stand in.
using Decide = std::function<ReceiverDemand(Instant, Bitrate, const Pictures&, Allocations&)>;
ReceiverDemand decide(Instant now, Bitrate budget, const Pictures& pictures, Allocations& allocations) {
  return allocate(now, budget, pictures, allocations, scratch());
}

OfferedLayer layer(uint16_t width, uint16_t height, int64_t kbps) {
  OfferedLayer l{.is_available = true, .width = width, .height = height};
  l.rates[0] = Bitrate::kbps(kbps);
  return l;
}
/// As a browser sends a camera.
WantedPicture camera(PictureClass rank, ShownSize shown, uint8_t priority = 0) {
  WantedPicture p{.rank = rank, .priority = priority, .shown = shown};
  p.layers = {layer(320, 180, 150), layer(640, 360, 500), layer(1280, 720, 1700), OfferedLayer()};
  return p;
}
WantedPicture small(uint8_t priority = 0) { return camera(PictureClass::Small, {320, 180}, priority); }
WantedPicture speaker() { return camera(PictureClass::Speaker, {1280, 720}); }
WantedPicture share(int64_t kbps) {
  WantedPicture p{.rank = PictureClass::Share, .shown = {1920, 1080}};
  p.layers[0] = layer(1920, 1080, kbps);
  return p;
}

/// -1: paused.
int layer_of(const PictureAllocation& a) { return a.step ? a.step->layer : -1; }
std::vector<int> layers_of(const Allocations& all) {
  std::vector<int> layers;
  for (const PictureAllocation& a : all) layers.push_back(layer_of(a));
  return layers;
}
std::vector<int> first_decision(const Pictures& pictures, int64_t kbps) {
  Allocations all(pictures.size());
  decide(kStart, Bitrate::kbps(kbps), pictures, all);
  return layers_of(all);
}
/// Decides four times a second for so long.
void run(Instant& now, Duration span, int64_t kbps, const Pictures& pictures, Allocations& all) {
  for (const Instant end = now + span; now < end; now += Duration::millis(250))
    decide(now, Bitrate::kbps(kbps), pictures, all);
}

// ---- examples

TEST(Allocator, gives_each_picture_what_its_size_needs_when_there_is_enough) {
  EXPECT_EQ(first_decision({speaker(), small(), small()}, 10'000), (std::vector{2, 0, 0}));
}

TEST(Allocator, shows_everybody_before_anybody_sharply_but_the_speaker_recognisably) {
  const Pictures pictures{speaker(), small(), small(), small()};
  EXPECT_EQ(first_decision(pictures, 180), (std::vector{0, -1, -1, -1}));
  EXPECT_EQ(first_decision(pictures, 600), (std::vector{1, -1, -1, -1}));
  EXPECT_EQ(first_decision(pictures, 780), (std::vector{1, 0, -1, -1}));
  EXPECT_EQ(first_decision(pictures, 1140), (std::vector{1, 0, 0, 0}));
  EXPECT_EQ(first_decision(pictures, 2570), (std::vector{1, 0, 0, 0}));
  EXPECT_EQ(first_decision(pictures, 2580), (std::vector{2, 0, 0, 0}));
}

TEST(Allocator, a_share_comes_before_all_and_whole) {
  const Pictures pictures{small(), speaker(), share(800)};
  EXPECT_EQ(first_decision(pictures, 959), (std::vector{0, 1, -1}));
  EXPECT_EQ(first_decision(pictures, 960), (std::vector{-1, -1, 0}));
  EXPECT_EQ(first_decision(pictures, 1140), (std::vector{-1, 0, 0}));
}

TEST(Allocator, what_the_chair_puts_in_front_comes_before_the_speaker_and_priority_counts_within_a_class) {
  const Pictures pictures{small(1), small(7), speaker(), camera(PictureClass::Forced, {1280, 720})};
  EXPECT_EQ(first_decision(pictures, 180), (std::vector{-1, -1, -1, 0}));
  EXPECT_EQ(first_decision(pictures, 780), (std::vector{-1, -1, 0, 1}));
  EXPECT_EQ(first_decision(pictures, 1380), (std::vector{-1, 0, 1, 1}));
}

TEST(Allocator, the_larger_of_two_equals_rises_first) {
  const Pictures pictures{camera(PictureClass::Large, {640, 360}), camera(PictureClass::Large, {1280, 720})};
  EXPECT_EQ(first_decision(pictures, 780), (std::vector{0, 1}));
  EXPECT_EQ(first_decision(pictures, 1200), (std::vector{1, 1}));
}

TEST(Allocator, a_picture_far_larger_than_its_tile_comes_last) {
  WantedPicture single = small(9);
  single.layers = {layer(1280, 720, 1500), OfferedLayer(), OfferedLayer(), OfferedLayer()};
  const Pictures pictures{single, small(), speaker()};
  EXPECT_EQ(first_decision(pictures, 2200), (std::vector{-1, 0, 1}));
  EXPECT_EQ(first_decision(pictures, 2220), (std::vector{-1, 0, 2}));
  EXPECT_EQ(first_decision(pictures, 4100), (std::vector{0, 0, 2}));
}

TEST(Allocator, nothing_of_a_source_that_sends_nothing_costs_nothing) {
  WantedPicture silent = speaker();
  silent.layers = {};
  Allocations all(2);
  decide(kStart, Bitrate::kbps(180), {silent, small()}, all);
  EXPECT_EQ(layers_of(all), (std::vector{0, 0}));
  EXPECT_TRUE(all[0].is_new) << "it need not wait when it comes";
  EXPECT_EQ(first_decision({silent, small()}, 0), (std::vector{0, -1})) << "nor is it the budget's fault";
}

TEST(Allocator, rates_nobody_measured_are_assumed_by_size) {
  WantedPicture p = speaker();
  for (OfferedLayer& l : p.layers) l.rates[0] = Bitrate();
  EXPECT_EQ(first_decision({p}, 170), (std::vector{-1}));
  EXPECT_EQ(first_decision({p}, 190), (std::vector{0}));
  EXPECT_EQ(first_decision({p}, 650), (std::vector{1}));
  EXPECT_EQ(first_decision({p}, 2100), (std::vector{2}));
}

TEST(Allocator, temporal_layers_are_finer_steps) {
  WantedPicture p = speaker();
  for (OfferedLayer& l : p.layers) {
    l.temporal_layers = 2;
    l.rates = {l.rates[0] * 0.6, l.rates[0], Bitrate(), Bitrate()};
  }
  Allocations all(1);
  decide(kStart, Bitrate::kbps(110), {p}, all);
  EXPECT_EQ(all[0].step, (LayerStep{0, 0}));
  all = Allocations(1);
  decide(kStart, Bitrate::kbps(185), {p}, all);
  EXPECT_EQ(all[0].step, (LayerStep{0, 1}));
  all = Allocations(1);
  decide(kStart, Bitrate::kbps(1300), {p}, all);
  EXPECT_EQ(all[0].step, (LayerStep{2, 0}));
}

TEST(Allocator, goes_down_at_once_and_up_only_with_headroom_after_a_while) {
  const Pictures pictures{speaker()};
  Allocations all(1);
  Instant now = kStart;
  run(now, Duration::seconds(1), 3000, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{2}));
  run(now, Duration::millis(250), 1700, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{2})) << "held without headroom";
  run(now, Duration::millis(250), 1699, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{1}));
  run(now, Duration::seconds(60), 2030, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{1})) << "no headroom";
  run(now, Duration::seconds(1), 2050, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{1})) << "not yet";
  run(now, Duration::millis(250), 2050, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{2}));
}

TEST(Allocator, a_newcomer_takes_the_place_of_what_comes_after_him_although_there_is_no_headroom) {
  Pictures pictures{speaker()};
  Allocations all(1);
  Instant now = kStart;
  run(now, Duration::seconds(1), 2100, pictures, all);
  run(now, Duration::seconds(1), 1750, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{2}));
  pictures.push_back(small());
  all.emplace_back();
  run(now, Duration::millis(250), 1750, pictures, all);
  EXPECT_EQ(layers_of(all), (std::vector{1, 0}));
}

TEST(Allocator, says_what_would_be_needed_for_more) {
  Allocations all(2);
  const Pictures pictures{speaker(), small()};
  ReceiverDemand d = decide(kStart, Bitrate::kbps(1000), pictures, all);
  EXPECT_EQ(d.sent, Bitrate::kbps(650));
  EXPECT_NEAR(static_cast<double>(d.next.to_bps()), 1850e3 * 1.2, 10);
  EXPECT_EQ(d.wanted, Bitrate::kbps(1850));
  all = Allocations(2);
  d = decide(kStart, d.next, pictures, all);
  EXPECT_EQ(d.sent, d.wanted);
  EXPECT_EQ(d.next, d.sent);
}

// ---- properties

struct Case {
  Pictures pictures;
  Allocations before;
  Bitrate budget;
};

WantedPicture random_picture(core::Random& random) {
  WantedPicture p;
  p.rank = static_cast<PictureClass>(random.below(5));
  p.priority = static_cast<uint8_t>(random.below(3));
  const auto height = static_cast<uint16_t>(90 + random.below(1000));
  if (random.below(8) != 0) p.shown = {static_cast<uint16_t>(height * 16 / 9), height};
  const size_t count = 1 + random.below(3);
  const size_t first_scale = random.below(3);
  for (size_t l = 0; l < count; ++l) {
    OfferedLayer& o = p.layers[l];
    o.is_available = random.below(8) != 0;
    o.width = static_cast<uint16_t>(320u << std::min<size_t>(2, l + first_scale * (count == 1)));
    o.height = static_cast<uint16_t>(o.width * 9 / 16);
    if (random.below(10) == 0) o.width = o.height = 0;
    o.temporal_layers = static_cast<uint8_t>(1 + random.below(3));
    const int64_t top = static_cast<int64_t>((80'000 + random.below(100'000)) << (2 * l));
    for (size_t t = 0; t < o.temporal_layers; ++t)
      o.rates[t] = Bitrate::bps(top * static_cast<int64_t>(t + 2) / (o.temporal_layers + 1));
    if (random.below(10) == 0) o.rates = {};
  }
  return p;
}

PictureAllocation random_before(core::Random& random) {
  PictureAllocation a;
  if (random.below(3) == 0) return a;
  a.is_new = random.below(4) == 0;
  if (random.below(4) != 0)
    a.step = LayerStep{static_cast<uint8_t>(random.below(3)), static_cast<uint8_t>(random.below(3))};
  if (random.below(2) == 0) a.up_since = kStart - Duration::millis(static_cast<int64_t>(random.below(2000)));
  return a;
}

Case random_case(core::Random& random) {
  Case c;
  const size_t count = 1 + random.below(20);
  for (size_t i = 0; i < count; ++i) {
    c.pictures.push_back(random_picture(random));
    c.before.push_back(random_before(random));
  }
  c.budget = Bitrate::bps(static_cast<int64_t>(random.below(1u << (14 + random.below(11)))));
  return c;
}

Bitrate rate_of(const WantedPicture& p, const std::optional<LayerStep>& step) {
  if (!step || !p.layers[step->layer].is_available) return Bitrate();
  return p.layers[step->layer].rates[step->temporal];
}

auto rank_key(const Pictures& pictures, size_t i) {
  return std::tuple(pictures[i].rank, -int{pictures[i].priority}, i);
}

std::array<LayerFacts, kMaxLayers> facts_of(const WantedPicture& p) {
  std::array<LayerFacts, kMaxLayers> facts;
  for (size_t l = 0; l < kMaxLayers; ++l)
    facts[l] = {p.layers[l].is_available, p.layers[l].width, p.layers[l].height};
  return facts;
}

/// Empty: the decision is within the budget and gives nothing that is not there or that no size needs.
std::string find_excess(const Case& c, const Decide& decide) {
  Allocations all = c.before;
  const ReceiverDemand d = decide(kStart, c.budget, c.pictures, all);
  Bitrate sum;
  for (size_t i = 0; i < all.size(); ++i) {
    const WantedPicture& p = c.pictures[i];
    sum = sum + rate_of(p, all[i].step);
    if (!all[i].step) continue;
    const uint8_t needed = select_layer(facts_of(p), p.shown, c.before[i].needed);
    const bool has_any = std::ranges::any_of(p.layers, &OfferedLayer::is_available);
    if (all[i].step->layer > needed) return "above what the size needs";
    if (has_any && !p.layers[all[i].step->layer].is_available) return "a layer that is not there";
    if (has_any && all[i].step->temporal >= p.layers[all[i].step->layer].temporal_layers) return "no such T";
  }
  if (sum > c.budget) return "over budget";
  if (sum > d.sent || d.sent > d.next || d.sent > d.wanted) return "the sums do not fit";
  return {};
}

/// Empty: with more budget some picture gets more, or nothing changes, and none ranked above it gets less.
std::string find_regress(const Case& c, Bitrate more, const Decide& decide) {
  Allocations low = c.before;
  Allocations high = c.before;
  decide(kStart, c.budget, c.pictures, low);
  decide(kStart, c.budget + more, c.pictures, high);
  std::optional<size_t> gains;
  std::optional<size_t> loses;
  const auto is_above = [&](size_t i, const std::optional<size_t>& than) {
    return !than || rank_key(c.pictures, i) < rank_key(c.pictures, *than);
  };
  for (size_t i = 0; i < low.size(); ++i) {
    const bool waits = high[i].up_since && !low[i].up_since;  // what it will take is put aside
    if ((high[i].step > low[i].step || waits) && is_above(i, gains)) gains = i;
    if (high[i].step < low[i].step && is_above(i, loses)) loses = i;
  }
  if (loses && (!gains || is_above(*loses, gains))) return "more budget took from a picture of higher rank";
  return {};
}

/// Empty: a picture is paused only when what is ranked above it leaves too little for its lowest layer.
std::string find_injustice(const Case& c, const Decide& decide) {
  Allocations all(c.pictures.size());
  decide(kStart, c.budget, c.pictures, all);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].step) continue;
    const WantedPicture& p = c.pictures[i];
    const auto lowest = std::ranges::find_if(p.layers, &OfferedLayer::is_available);
    if (lowest == p.layers.end()) return "paused although it costs nothing";
    const auto index = static_cast<size_t>(lowest - p.layers.begin());
    if (enlargement_of(facts_of(p), index, p.shown) < 0.4 || lowest->rates[0] == Bitrate()) continue;
    Bitrate sum = lowest->rates[0];
    bool is_known = true;
    for (size_t k = 0; k < all.size(); ++k) {
      if (!(rank_key(c.pictures, k) < rank_key(c.pictures, i)) || !all[k].step) continue;
      const auto& rates = c.pictures[k].layers[all[k].step->layer].rates;
      is_known = is_known && (rates[0] != Bitrate());
      // At most the dearest at or below what it has: what a step costs never falls on the way up.
      Bitrate most;
      for (size_t l = 0; l <= all[k].step->layer; ++l)
        for (size_t t = 0; t <= (l == all[k].step->layer ? all[k].step->temporal : kMaxTemporalLayers - 1u);
             ++t)
          most = std::max(
              most, c.pictures[k].layers[l].is_available ? c.pictures[k].layers[l].rates[t] : Bitrate());
      sum = sum + most;
    }
    if (is_known && sum * kAllocationHeadroom < c.budget) return "paused although there is room";
  }
  return {};
}

struct Restlessness {
  size_t changes = 0;  ///< of a picture's layer
  size_t returns = 0;  ///< of these, against the direction of its change before
};
/// Over 100 seconds, budget and rates trembling by 5 %, once all had 25 seconds to settle.
Restlessness tremble(core::Random& random, const Case& c, const Decide& decide) {
  const auto shaken = [&](Bitrate r) { return r * (0.95 + 0.1 * (random.below(1001) / 1000.0)); };
  Allocations all(c.pictures.size());
  std::vector<int> direction(all.size());
  Restlessness found;
  Instant now = kStart;
  for (int turn = 0; turn < 500; ++turn, now += Duration::millis(250)) {
    Pictures pictures = c.pictures;
    for (WantedPicture& p : pictures)
      for (OfferedLayer& l : p.layers)
        for (Bitrate& r : l.rates) r = shaken(r);
    const auto before = layers_of(all);
    decide(now, shaken(c.budget), pictures, all);
    const auto after = layers_of(all);
    for (size_t i = 0; i < after.size() && turn >= 100; ++i) {
      if (after[i] == before[i]) continue;
      const int to = after[i] > before[i] ? 1 : -1;
      ++found.changes;
      found.returns += direction[i] == -to;
      direction[i] = to;
    }
  }
  return found;
}

constexpr int kCases = 5000;

TEST(AllocatorProperty, never_over_budget_and_never_more_than_is_there_or_needed) {
  core::SeededRandom random(1);
  for (int i = 0; i < kCases; ++i) EXPECT_EQ(find_excess(random_case(random), decide), "") << "case " << i;
}

TEST(AllocatorProperty, more_budget_takes_nothing_from_higher_ranks) {
  core::SeededRandom random(2);
  for (int i = 0; i < kCases; ++i) {
    const Case c = random_case(random);
    const auto more = Bitrate::bps(static_cast<int64_t>(random.below(1u << (10 + random.below(12)))));
    EXPECT_EQ(find_regress(c, more, decide), "") << "case " << i;
  }
}

TEST(AllocatorProperty, nobody_is_paused_for_one_of_lower_rank) {
  core::SeededRandom random(3);
  for (int i = 0; i < kCases; ++i) EXPECT_EQ(find_injustice(random_case(random), decide), "") << "case " << i;
}

TEST(AllocatorProperty, nothing_goes_to_and_fro_while_budget_and_rates_tremble) {
  core::SeededRandom random(4);
  size_t changes = 0;
  for (int i = 0; i < 200; ++i) {
    const Restlessness found = tremble(random, random_case(random), decide);
    EXPECT_EQ(found.returns, 0u) << "case " << i;
    changes += found.changes;
  }
  EXPECT_LE(changes, 25u) << "steps that became possible by chance for long enough, in 20,000 seconds";
}

// ---- the properties can fail

TEST(AllocatorProperty, one_that_takes_a_little_more_is_caught) {
  const Decide greedy = [](Instant now, Bitrate budget, const Pictures& p, Allocations& a) {
    return decide(now, budget * 1.25, p, a);
  };
  core::SeededRandom random(1);
  size_t caught = 0;
  for (int i = 0; i < kCases; ++i) caught += !find_excess(random_case(random), greedy).empty();
  EXPECT_GT(caught, 10u);
}

/// Fills up with whatever fits, the most for the bits first.
ReceiverDemand decide_by_value(Instant, Bitrate budget, const Pictures& pictures, Allocations& all) {
  for (PictureAllocation& a : all) a.step.reset();
  Bitrate left = budget;
  for (size_t l = kMaxLayers; l-- > 0;)
    for (size_t i = 0; i < all.size(); ++i) {
      const WantedPicture& p = pictures[i];
      const LayerStep step{static_cast<uint8_t>(l), static_cast<uint8_t>(p.layers[l].temporal_layers - 1)};
      if (all[i].step || !p.layers[l].is_available || rate_of(p, step) > left) continue;
      all[i].step = step;
      left = left - rate_of(p, step);
    }
  return {};
}

TEST(AllocatorProperty, one_that_fills_up_with_whatever_fits_is_caught) {
  core::SeededRandom random(2);
  size_t regresses = 0;
  size_t injustices = 0;
  for (int i = 0; i < kCases; ++i) {
    const Case c = random_case(random);
    const auto more = Bitrate::bps(static_cast<int64_t>(random.below(1u << (10 + random.below(12)))));
    regresses += !find_regress(c, more, decide_by_value).empty();
    injustices += !find_injustice(c, decide_by_value).empty();
  }
  EXPECT_GT(regresses, 10u);
  EXPECT_GT(injustices, 10u);
}

TEST(AllocatorProperty, one_without_memory_is_caught) {
  const Decide forgetful = [](Instant now, Bitrate budget, const Pictures& p, Allocations& a) {
    std::ranges::fill(a, PictureAllocation());
    return decide(now, budget, p, a);
  };
  core::SeededRandom random(4);
  size_t returns = 0;
  for (int i = 0; i < 50; ++i) returns += tremble(random, random_case(random), forgetful).returns;
  EXPECT_GT(returns, 1000u);
}

}  // namespace
}  // namespace huitang::sfu
