// The trial meeting: two bots of our own executable in a conference made for them, judged by what they report
// (bot/report_json.h).
#pragma once

#include <string_view>

#include "doctor/service_check.h"

namespace huitang::doctor {

inline constexpr uint32_t kTrialMark = 901;  ///< of the first bot's picture; the second has the next
inline constexpr double kTrialTone = 1000;   ///< hertz, of the first; the second is 100 higher
inline constexpr std::string_view kTrialName = "Doctor";

/// Reads the bots' lines up to now; lines that are none are passed over.
PathFacts judge_trial(std::string_view lines);
/// Nothing more to wait for.
bool is_success(const PathFacts& facts);

}  // namespace huitang::doctor
