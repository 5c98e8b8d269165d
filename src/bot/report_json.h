// Reports of a bot as JSON lines, for tests and scripts.
#pragma once

#include <string>

#include "bot/participant.h"

namespace huitang::bot {

/// {"event":"mark","bot":NAME,"at_ms":…,…}. `at_ms` counts on the monotonic clock.
std::string report_to_json(core::Instant now, const std::string& bot, const Report& report);
/// {"event":"statistics",…}: counters of the peer and of each slot that received something.
std::string snapshot_to_json(core::Instant now, const std::string& bot, const BotSnapshot& snapshot);

}  // namespace huitang::bot
