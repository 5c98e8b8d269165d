// `huitang doctor`: what it found, in words for the one IT person of an office who is no specialist.
//
// A check is a pure function from facts to findings; probe_*.h gathers the facts from the machine. Each finding
// says how bad it is, what it means for people who meet, and what to do, in Chinese and in English. The guide
// (docs/guide/caretaker.md) lists every id. Left out: repairing anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace huitang::doctor {

enum class Grade : uint8_t {
  Ok,
  Warning,  ///< meetings work, something will go wrong or is worse than it could be
  Error,    ///< people cannot meet, or what they do may be lost
};

struct Words {
  std::string zh;
  std::string en;
};

struct Finding {
  std::string_view id;  ///< stable; "disk", "media-path"
  Grade grade = Grade::Ok;
  Words what;
  Words advice;  ///< empty when all is well
};

using Findings = std::vector<Finding>;

enum class Language : uint8_t { Chinese, English };

/// By $LANG and its relatives: "zh…" is Chinese, everything else English.
Language language_of(std::string_view locale);
Grade worst(const Findings& findings);
/// For a terminal: one paragraph a finding, the count at the end.
std::string to_text(const Findings& findings, Language language);
/// {"worst":"warning","findings":[{"id":…,"grade":…,"what":{"zh":…,"en":…},"advice":{…}}]}
std::string to_json(const Findings& findings);

}  // namespace huitang::doctor
