// Media intents derived from states.
#pragma once

#include <vector>

#include "conference/effects.h"

namespace huitang::conference {

/// Everything a media node should know of one participant.
std::vector<MediaIntent> media_of(const Info&, const Participant&);
/// What a change upon `before` means for media: what closes first, then what opens. A connected peer is told
/// everything, for it may be a new one. Every id in change.gone is listed in `before`.
std::vector<MediaIntent> media_following(const State& before, const Change&);

}  // namespace huitang::conference
