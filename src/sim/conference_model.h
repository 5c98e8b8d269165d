// The oracle for conference control: a flat model of a conference, driven by the table in
// docs/conference/transitions.md alone. It shares no rule with src/conference; it shares the input types, and
// compares with the real state through `model_of`.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conference/conference.h"

namespace huitang::sim {

struct Person {
  uint32_t id = 0;
  std::string name;
  std::string session;
  v1::Role role = v1::ROLE_PARTICIPANT;
  bool in = true;
  bool muted_by_self = true;
  bool muted_by_chair = false;
  bool camera_on = false;
  conference::Share share = conference::Share::None;
  bool hand_up = false;
  bool peer = false;
  uint32_t first_source = 0;
  friend bool operator==(const Person&, const Person&) = default;
};

struct ConferenceModel {
  bool ended = false;
  bool locked = false;
  bool may_unmute_self = true;
  size_t capacity = 0;
  uint32_t next_id = 1;
  uint64_t messages = 0;  ///< ever said
  std::vector<Person> people;
  std::set<std::string> barred;
  friend bool operator==(const ConferenceModel&, const ConferenceModel&) = default;
};

ConferenceModel model_of(const conference::State&);
std::string to_string(const ConferenceModel&);

/// A command with what its maker knows about its texts, so that the oracle need not judge characters.
struct Ask {
  conference::Command command;
  conference::Actor actor;
  bool is_text_bad = false;
  bool is_text_long = false;
};

struct Expected {
  size_t row = 0;
  std::string result;  ///< "done", "nothing" or the name of a refusal, "LOCKED"
  conference::Happening happening;
  ConferenceModel after;
};

class TransitionTable {
 public:
  /// From the document's text. Throws std::runtime_error naming what it does not understand: this is a test's
  /// tool.
  static TransitionTable parse(std::string_view markdown);
  Expected expect(const ConferenceModel&, const Ask&) const;
  size_t size() const { return rows_.size(); }
  const std::string& text_of(size_t row) const { return rows_[row].text; }

 private:
  struct Row {
    std::vector<std::string> operations, actors, conditions, effects;
    std::string result, happening, text;
  };
  std::vector<Row> rows_;
};

}  // namespace huitang::sim
