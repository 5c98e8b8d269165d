// Holds the doctor's trial meeting: makes a conference by the API of the serve on this machine, runs two bots in it
// as a child process, and has them end it.
#pragma once

#include "api/local_access.h"
#include "doctor/service_check.h"

namespace huitang::app {

/// Blocks for half a minute at most.
doctor::PathFacts run_trial(const api::LocalTarget& target);

}  // namespace huitang::app
