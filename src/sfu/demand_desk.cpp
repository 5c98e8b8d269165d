#include "sfu/demand_desk.h"

#include <bit>

namespace huitang::sfu {

void DemandDesk::add_source(core::Instant now, Source& source) {
  if (is_audio(source.binding.kind)) return;
  for (size_t l = 0; l < source.known_layers(); ++l) {
    source.layers[l].is_demanded = true;
    source.layers[l].demanded_last = now;
  }
  hurry();
}

void DemandDesk::handle_timeout(core::Instant now) {
  if (!is_hurried_ && now < next_review_) return;
  is_hurried_ = false;
  next_review_ = now + kReviewInterval;
  note_wanted(now);
  for (const auto& source : t_.sources)
    if (source != nullptr && !is_audio(source->binding.kind)) settle(now, *source);
}

size_t DemandDesk::resting() const {
  size_t count = 0;
  for (const auto& source : t_.sources)
    if (source != nullptr && source->told_demand)
      count += source->known_layers() - static_cast<size_t>(std::popcount(*source->told_demand));
  return count;
}

void DemandDesk::note_wanted(core::Instant now) {
  for (const Slot& slot : t_.slots) {
    if (slot.config.use == SlotUse::Audio) continue;
    // What is shown until the better one comes is needed as well.
    for (const LayerRef ref : {slot.current, slot.waiting})
      if (ref.is_set()) want(now, ref);
    if (const auto best = director_.best_layer(slot)) want(now, {slot.target, *best});
  }
}

void DemandDesk::want(core::Instant now, LayerRef up_to) {
  Source& source = *t_.sources[up_to.source];
  for (size_t l = 0; l <= up_to.layer; ++l) {
    source.layers[l].is_demanded = true;
    source.layers[l].demanded_last = now;
  }
}

void DemandDesk::settle(core::Instant now, Source& source) {
  uint8_t layers = 1;
  for (size_t l = 0; l < source.known_layers(); ++l) {
    SourceLayer& layer = source.layers[l];
    layer.is_demanded = layer.is_demanded && now - layer.demanded_last < kUnwantedAfter;
    if (layer.is_demanded) layers = static_cast<uint8_t>(layers | 1u << l);
  }
  if (source.told_demand == layers) return;
  const SourceBinding& b = source.binding;
  // What found no room in the queue is told at the next review.
  if (t_.tell(LayerDemand{b.number, b.owner, b.kind, layers})) source.told_demand = layers;
}

}  // namespace huitang::sfu
