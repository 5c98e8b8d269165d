#include "sfu/allocator.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/check.h"

namespace huitang::sfu {
namespace {

using Ladder = AllocationScratch::Ladder;
using Option = AllocationScratch::Option;

// A forced picture and the speaker are recognisable when enlarged to no more than twice their width.
constexpr double kRecognisable = 2.0;
// Below it a picture is much larger than it is shown: bits that nobody sees.
constexpr double kOutsized = 0.4;
// What a picture loses in value with each temporal layer that is left out.
constexpr double kValueOfTemporalLayer = 0.15;

// Origin: what browsers are asked to send of a camera (320×180 at 150 kbit/s, 1280×720 at 1.7 Mbit/s).
constexpr double kAssumedPixels = 320.0 * 180.0;
constexpr double kAssumedBps = 150'000.0;
constexpr double kAssumedGrowth = 0.875;
// A shared screen mostly stands still.
constexpr double kAssumedOfShare = 0.25;

std::array<LayerFacts, kMaxLayers> facts_of(const WantedPicture& picture) {
  std::array<LayerFacts, kMaxLayers> facts;
  for (size_t i = 0; i < kMaxLayers; ++i) {
    const OfferedLayer& layer = picture.layers[i];
    facts[i] = {layer.is_available, layer.width, layer.height};
  }
  return facts;
}

int64_t rate_of_step(const WantedPicture& picture, size_t layer, size_t temporal, ShownSize size) {
  const OfferedLayer& offered = picture.layers[layer];
  for (size_t t = temporal; t < offered.temporal_layers; ++t)
    if (offered.rates[t] != core::Bitrate()) return offered.rates[t].to_bps();
  return assumed_rate(picture.rank, size).to_bps();
}

uint8_t enough_of(PictureClass rank, const Ladder& ladder, const WantedPicture& picture,
                  const std::array<LayerFacts, kMaxLayers>& facts) {
  switch (rank) {
    case PictureClass::Share: return ladder.size;
    case PictureClass::Large:
    case PictureClass::Small: return 1;
    case PictureClass::Forced:
    case PictureClass::Speaker: break;
  }
  for (uint8_t i = 0; i < ladder.size; ++i) {
    const LayerStep step = ladder.options[i].step;
    const bool is_whole = step.temporal + 1 == picture.layers[step.layer].temporal_layers;
    if (is_whole && enlargement_of(facts, step.layer, picture.shown) <= kRecognisable)
      return static_cast<uint8_t>(i + 1);
  }
  return ladder.size;
}

void add_options(const WantedPicture& picture, const std::array<LayerFacts, kMaxLayers>& facts, size_t layer,
                 Ladder& ladder) {
  const size_t count = std::clamp<size_t>(picture.layers[layer].temporal_layers, 1, kMaxTemporalLayers);
  const ShownSize shown = assumed_size(picture.shown);
  const double enlarged = enlargement_of(facts, layer, shown);
  const ShownSize size{static_cast<uint16_t>(std::min(shown.width / enlarged, 65535.0)),
                       static_cast<uint16_t>(std::min(shown.height / enlarged, 65535.0))};
  const double side = std::sqrt(static_cast<double>(shown.width) * shown.height);
  for (size_t t = 0; t < count; ++t) {
    const double motion = 1.0 - kValueOfTemporalLayer * static_cast<double>(count - 1 - t);
    const int64_t below = ladder.size == 0 ? 0 : ladder.options[ladder.size - 1u].rate;
    ladder.options[ladder.size++] = {{static_cast<uint8_t>(layer), static_cast<uint8_t>(t)},
                                     std::max(below, rate_of_step(picture, layer, t, size)),
                                     side / std::sqrt(std::max(1.0, enlarged)) * motion};
  }
}

void build(core::Instant now, const WantedPicture& picture, PictureAllocation& before, Ladder& ladder) {
  const auto facts = facts_of(picture);
  const uint8_t needed = select_layer(facts, picture.shown, before.needed);
  before.needed = needed;
  ladder = Ladder();
  ladder.is_new = before.is_new;
  ladder.has_waited = before.up_since && now - *before.up_since >= kUpgradeAfter;
  for (size_t layer = 0; layer <= needed; ++layer)
    if (picture.layers[layer].is_available) add_options(picture, facts, layer, ladder);
  // Whatever comes up first of a source that sends nothing: it costs nothing yet, and it is not the budget's
  // fault that nothing is seen.
  if (ladder.size == 0) {
    ladder.options[ladder.size++] = {{needed, 0}, 0, 0.0};
    ladder.taken = 1;
  }
  const auto is_held = [&](const Option& o) { return before.step && o.step <= *before.step; };
  while (ladder.held < ladder.size && is_held(ladder.options[ladder.held])) ++ladder.held;
  ladder.enough = enough_of(picture.rank, ladder, picture, facts);
  ladder.is_outsized = picture.rank != PictureClass::Share &&
                       enlargement_of(facts, ladder.options[0].step.layer, picture.shown) < kOutsized;
}

/// One way down the order of steps.
class Pass {
 public:
  Pass(core::Bitrate budget, std::span<const WantedPicture> pictures, AllocationScratch& scratch)
      : pictures_(pictures),
        ladders_(scratch.ladders),
        by_rank_(scratch.by_rank.data(), pictures.size()),
        budget_(budget.to_bps()) {
    int64_t held = 0;
    for (size_t i = 0; i < pictures.size(); ++i) {
      const Ladder& l = ladders_[i];
      if (l.held != 0) held += l.options[l.held - 1u].rate;
    }
    with_headroom_ = static_cast<int64_t>(static_cast<double>(budget_) / kAllocationHeadroom);
    without_rise_ = std::max(with_headroom_, std::min(budget_, held));
  }

  void run() {
    for (const PictureClass c : kClasses) {
      give_lowest(c, false);
      give_steps(c, &Ladder::enough);
    }
    for (const PictureClass c : kClasses) give_steps(c, &Ladder::size);
    for (const PictureClass c : kClasses) give_lowest(c, true);
  }
  int64_t used() const { return used_; }
  int64_t next() const { return next_ == 0 ? used_ : std::max(next_, used_); }

 private:
  static constexpr std::array kClasses{PictureClass::Share, PictureClass::Forced, PictureClass::Speaker,
                                       PictureClass::Large, PictureClass::Small};

  Ladder& at(size_t position) { return ladders_[by_rank_[position]]; }
  bool is_of(PictureClass c, size_t position) const { return pictures_[by_rank_[position]].rank == c; }
  bool has_ended(size_t position) { return position < barred_ || at(position).has_ended; }

  void give_lowest(PictureClass c, bool outsized) {
    for (size_t p = 0; p < by_rank_.size(); ++p)
      if (is_of(c, p) && at(p).taken == 0 && at(p).is_outsized == outsized && !has_ended(p)) step(p);
  }

  void give_steps(PictureClass c, uint8_t Ladder::*limit) {
    while (const auto p = best_step(c, limit)) step(*p);
  }

  // What is held goes before what is new, however much better that would be: rates change all the time, and
  // siblings would take turns.
  std::optional<size_t> best_step(PictureClass c, uint8_t Ladder::*limit) {
    std::optional<size_t> best;
    bool best_is_held = false;
    double best_benefit = 0;
    for (size_t p = 0; p < by_rank_.size(); ++p) {
      const Ladder& l = at(p);
      if (!is_of(c, p) || l.taken == 0 || l.taken >= l.*limit || has_ended(p)) continue;
      const bool is_held = l.taken < l.held;
      const Option& to = l.options[l.taken];
      const double cost = static_cast<double>(std::max<int64_t>(1, cost_of_step(l)));
      const double benefit = (to.value - l.options[l.taken - 1u].value) / cost;
      if (best && (is_held != best_is_held ? best_is_held : benefit <= best_benefit)) continue;
      best = p;
      best_is_held = is_held;
      best_benefit = benefit;
    }
    return best;
  }

  static int64_t cost_of_step(const Ladder& l) {
    return l.options[l.taken].rate - (l.taken == 0 ? 0 : l.options[l.taken - 1u].rate);
  }

  // A picture that has just come may take what those after it hold, though the sum stays as close to the budget
  // as it was. For the others that would be a way around the headroom.
  int64_t limit_of_new(const Ladder& l) const { return l.is_new ? without_rise_ : with_headroom_; }

  void step(size_t position) {
    Ladder& l = at(position);
    const int64_t cost = cost_of_step(l);
    const bool is_new = l.taken >= l.held;
    if (is_new ? claimed_ + cost > limit_of_new(l) : used_ + cost > budget_) {
      if (next_ == 0)
        next_ = static_cast<int64_t>(static_cast<double>(claimed_ + cost) * kAllocationHeadroom) + 1;
      barred_ = std::max(barred_, position + 1);
      return;
    }
    claimed_ += cost;
    if (is_new && !l.is_new && !l.has_waited) {
      l.is_waiting = true;
      l.has_ended = true;
      return;
    }
    used_ += cost;
    ++l.taken;
    if (is_new) l.has_waited = false;  // the step after it has its own time to wait
  }

  std::span<const WantedPicture> pictures_;
  std::array<Ladder, kMaxSlots>& ladders_;
  std::span<const uint16_t> by_rank_;
  int64_t budget_;
  int64_t with_headroom_ = 0;
  int64_t without_rise_ = 0;
  int64_t used_ = 0;     ///< by steps taken
  int64_t claimed_ = 0;  ///< and by those that will be taken when they have waited
  size_t barred_ = 0;    ///< pictures ranked before this position take no further step
  int64_t next_ = 0;     ///< the budget that the first step that did not fit needs; 0: all did
};

void rank(std::span<const WantedPicture> pictures, AllocationScratch& scratch) {
  const auto end = scratch.by_rank.begin() + static_cast<ptrdiff_t>(pictures.size());
  std::iota(scratch.by_rank.begin(), end, uint16_t{0});
  std::sort(scratch.by_rank.begin(), end, [&](uint16_t x, uint16_t y) {
    const WantedPicture& a = pictures[x];
    const WantedPicture& b = pictures[y];
    return std::tuple(a.rank, -int{a.priority}, x) < std::tuple(b.rank, -int{b.priority}, y);
  });
}

/// What was decided, for the next time.
void note(core::Instant now, const WantedPicture& picture, const Ladder& ladder, PictureAllocation& a) {
  const bool has_risen = ladder.taken > ladder.held;
  a.step.reset();
  if (ladder.taken != 0) a.step = ladder.options[ladder.taken - 1u].step;
  if (!ladder.is_waiting) {
    a.up_since.reset();
  } else if (has_risen || !a.up_since) {
    a.up_since = now;
  }
  const auto is_there = [](const OfferedLayer& l) { return l.is_available; };
  if (std::ranges::any_of(picture.layers, is_there)) a.is_new = false;
}

}  // namespace

core::Bitrate assumed_rate(PictureClass rank, ShownSize size) {
  const double pixels = static_cast<double>(size.width) * size.height;
  const double bps = kAssumedBps * std::pow(pixels / kAssumedPixels, kAssumedGrowth);
  return core::Bitrate::bps(static_cast<int64_t>(rank == PictureClass::Share ? bps * kAssumedOfShare : bps));
}

ReceiverDemand allocate(core::Instant now, core::Bitrate budget, std::span<const WantedPicture> pictures,
                        std::span<PictureAllocation> allocations, AllocationScratch& scratch) {
  HUITANG_CHECK(pictures.size() == allocations.size() && pictures.size() <= kMaxSlots);
  int64_t wanted = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    build(now, pictures[i], allocations[i], scratch.ladders[i]);
    wanted += scratch.ladders[i].top().rate;
  }
  rank(pictures, scratch);
  Pass pass(budget, pictures, scratch);
  pass.run();
  for (size_t i = 0; i < pictures.size(); ++i) note(now, pictures[i], scratch.ladders[i], allocations[i]);
  return {core::Bitrate::bps(pass.used()), core::Bitrate::bps(pass.next()), core::Bitrate::bps(wanted)};
}

}  // namespace huitang::sfu
