// Commands at random, with what the oracle has to know of their texts.
#pragma once

#include "core/random.h"
#include "sim/conference_model.h"

namespace huitang::sim {

/// Something a participant, chair or machine may ask; targets are mostly people who are, or were, there.
Ask random_ask(core::Random&, const ConferenceModel&);
/// Any operation by any actor, sensible or not.
Ask wild_ask(core::Random&, const ConferenceModel&);

}  // namespace huitang::sim
