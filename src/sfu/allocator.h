// Which layer of each picture a receiver gets out of its bandwidth. Pure, and allocates no memory.
//
// Fed by VideoDirector with the budget (sound is subtracted), the pictures that the receiver shows and what
// their sources send. Left out: measuring rates (LayerMeter), estimating the budget (`bwe`), switching.
//
// Pictures are ranked share › forced › speaker › large › small, inside a class by priority, then by position.
// Bits are given away in steps, always in this order, which is the same whatever the budget is:
//
//   A  class by class: the lowest layer of each by rank; then steps up to what the class must have to be
//      worth showing: a share all that its size needs (its text is to be read), a forced picture or speaker
//      half of that (in width), others nothing more;
//   B  class by class: steps up to what the size needs, those held before first, then by benefit for bits;
//   C  the lowest layer of pictures that come only far larger than they are shown, by rank.
//
// So everybody is seen before anybody is seen sharply, but not at the price of the share, and the picture that
// all look at stays recognisable. A step that does not fit ends the steps of all pictures of the same or a
// higher rank; lower ones may use what is left. Hence *monotone*: with more budget some picture gets more and
// none ranked above it gets less. Never over budget: what has no step is paused.
//
// Hysteresis: a step that is held costs its rate. A new one must leave kAllocationHeadroom over the sum and must
// have been possible for kUpgradeAfter; a picture that has just come does not wait, and needs no headroom where
// it only takes the place of others. Over budget steps are lost at once, in reverse of the order above.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>

#include "core/time.h"
#include "core/units.h"
#include "sfu/layer_selector.h"
#include "sfu/types.h"

namespace huitang::sfu {

inline constexpr size_t kMaxTemporalLayers = 4;

/// In order of rank.
enum class PictureClass : uint8_t { Share, Forced, Speaker, Large, Small };

struct OfferedLayer {
  bool is_available = false;  ///< it flows, or does within one key frame once somebody watches
  uint16_t width = 0;         ///< 0 until a key frame told
  uint16_t height = 0;
  uint8_t temporal_layers = 1;
  /// Of the temporal layers up to each, measured now or last; 0 = not known: assumed by the size.
  std::array<core::Bitrate, kMaxTemporalLayers> rates{};
};

/// A slot that is to show something.
struct WantedPicture {
  PictureClass rank = PictureClass::Small;
  uint8_t priority = 0;  ///< higher first
  ShownSize shown;
  std::array<OfferedLayer, kMaxLayers> layers{};
};

struct LayerStep {
  uint8_t layer = 0;
  uint8_t temporal = 0;  ///< the highest temporal layer
  friend auto operator<=>(const LayerStep&, const LayerStep&) = default;
};

/// Of one picture: what was decided, and what the next decision has to know of it.
struct PictureAllocation {
  std::optional<LayerStep> step;          ///< absent: paused
  std::optional<uint8_t> needed;          ///< the layer that its size needs
  std::optional<core::Instant> up_since;  ///< since when the next step up would be possible
  bool is_new = true;                     ///< it takes steps without waiting
  friend bool operator==(const PictureAllocation&, const PictureAllocation&) = default;
};

/// Memory of one call; keeps nothing.
struct AllocationScratch {
  struct Option {
    LayerStep step;
    int64_t rate = 0;    ///< bits per second; never less than that of the option below
    double value = 0.0;  ///< of the picture for the one who looks at it
  };
  /// The options of one picture, from the lowest; a step takes the next.
  struct Ladder {
    std::array<Option, kMaxLayers * kMaxTemporalLayers> options;
    uint8_t size = 0;
    uint8_t held = 0;    ///< options taken before
    uint8_t enough = 0;  ///< options that round A gives
    uint8_t taken = 0;   ///< options taken now; 0: paused
    bool is_outsized = false;
    bool is_new = false;
    bool has_waited = false;  ///< for one step up
    bool is_waiting = false;  ///< for a step that would be possible
    bool has_ended = false;   ///< takes no further step
    const Option& top() const { return options[size - 1u]; }
  };
  std::array<Ladder, kMaxSlots> ladders;    ///< in the caller's order
  std::array<uint16_t, kMaxSlots> by_rank;  ///< highest first
};

/// Over the sum of all pictures, for a step that would raise it.
inline constexpr double kAllocationHeadroom = 1.2;
inline constexpr core::Duration kUpgradeAfter = core::Duration::seconds(1);

/// `allocations`: the decisions before, of the same pictures in the same order; replaced by the new ones. At
/// most kMaxSlots pictures. Gives what it comes to.
ReceiverDemand allocate(core::Instant now, core::Bitrate budget, std::span<const WantedPicture> pictures,
                        std::span<PictureAllocation> allocations, AllocationScratch& scratch);

/// What a layer of that size is taken to need while nothing was measured.
core::Bitrate assumed_rate(PictureClass rank, ShownSize size);

}  // namespace huitang::sfu
