// What holds in every state of a conference. Checked after each step in debug builds, and before anything
// read from a disk is believed.
#pragma once

#include "conference/effects.h"

namespace huitang::conference {

bool is_consistent(const State&);
/// Whether a change can come next upon this state as far as the change itself shows; the state after it is to
/// be checked too.
bool can_follow(const State&, const Change&);

}  // namespace huitang::conference
