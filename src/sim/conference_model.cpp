#include "sim/conference_model.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

namespace huitang::sim {
namespace {

namespace cf = conference;

// --- The situation that a row is held against
// -------------------------------------------------------------------------

struct Situation {
  ConferenceModel& m;
  const Ask& ask;
  std::optional<uint32_t> actor;  ///< as asked, listed or not
  std::optional<uint32_t> named;  ///< the target that the command names
  const cf::Join* join = nullptr;
  bool flag = false;                 ///< on, up, locked
  cf::Share wish = cf::Share::None;  ///< of start_share

  Person* find(std::optional<uint32_t> id) const {
    for (Person& p : m.people)
      if (id == p.id) return &p;
    return nullptr;
  }
  std::optional<uint32_t> target() const { return named ? named : actor; }
  Person* known() const {
    for (Person& p : m.people)
      if (join && p.session == join->session.value) return &p;
    return nullptr;
  }
  Person* person(const std::string& word) const {
    if (word == "actor") return find(actor);
    if (word == "target") return find(target());
    if (word == "known") return known();
    throw std::runtime_error("unknown person: " + word);
  }
};

Situation situation_of(ConferenceModel& m, const Ask& ask) {
  Situation s{m, ask, {}, {}};
  if (ask.actor.participant) s.actor = ask.actor.participant->value();
  std::visit(
      [&]<class Op>(const Op& op) {
        if constexpr (requires {
                        op.target.value();
                        op.target.has_value();
                      }) {
          if (op.target) s.named = op.target->value();
        } else if constexpr (requires { op.target.value(); }) {
          s.named = op.target.value();
        } else if constexpr (requires { op.who.value(); }) {
          s.named = op.who.value();
        }
        if constexpr (requires { op.on; }) s.flag = op.on;
        if constexpr (requires { op.up; }) s.flag = op.up;
        if constexpr (requires { op.locked; }) s.flag = op.locked;
        if constexpr (requires { op.with_audio; })
          s.wish = op.with_audio ? cf::Share::PictureAndSound : cf::Share::Picture;
        if constexpr (requires { op.to; }) {
          if (op.to) s.named = op.to->value();
        }
        if constexpr (std::is_same_v<Op, cf::Join>) s.join = &op;
      },
      ask.command.operation);
  return s;
}

std::string actor_class(const Situation& s) {
  if (!s.actor) {
    switch (s.ask.actor.entrance) {
      case v1::ENTRANCE_API: return "api";
      case v1::ENTRANCE_AUTOMATIC: return "system";
      default: return "stranger";
    }
  }
  const Person* p = s.find(s.actor);
  if (!p) return "gone";
  if (!p->in) return "away";
  return p->role == v1::ROLE_PARTICIPANT ? "participant" : "chair";
}

// --- Vocabulary
// -------------------------------------------------------------------------------------------------------

using PersonIs = std::function<bool(const Situation&, const Person&)>;
using PersonBecomes = std::function<void(Situation&, Person&)>;
using Holds = std::function<bool(const Situation&)>;
using Does = std::function<void(Situation&)>;

bool name_of_ask_is(const Situation& s, const Person& p) {
  const auto* rename = std::get_if<cf::Rename>(&s.ask.command.operation);
  return rename && rename->name == p.name;
}

const std::map<std::string, PersonIs>& person_conditions() {
  static const std::map<std::string, PersonIs> words = {
      {"heard", [](auto&, auto& p) { return !p.muted_by_self && !p.muted_by_chair; }},
      {"muted_by_self", [](auto&, auto& p) { return p.muted_by_self; }},
      {"muted_by_chair", [](auto&, auto& p) { return p.muted_by_chair; }},
      {"camera_on", [](auto&, auto& p) { return p.camera_on; }},
      {"camera_off", [](auto&, auto& p) { return !p.camera_on; }},
      {"shares", [](auto&, auto& p) { return p.share != cf::Share::None; }},
      {"shares not", [](auto&, auto& p) { return p.share == cf::Share::None; }},
      {"shares as given", [](auto& s, auto& p) { return p.share == s.wish; }},
      {"hand up", [](auto&, auto& p) { return p.hand_up; }},
      {"hand down", [](auto&, auto& p) { return !p.hand_up; }},
      {"in", [](auto&, auto& p) { return p.in; }},
      {"away", [](auto&, auto& p) { return !p.in; }},
      {"peer there", [](auto&, auto& p) { return p.peer; }},
      {"peer not there", [](auto&, auto& p) { return !p.peer; }},
  };
  return words;
}

void leave(Situation& s, uint32_t id) {
  std::erase_if(s.m.people, [&](const Person& p) { return p.id == id; });
}

const std::map<std::string, PersonBecomes>& person_effects() {
  static const std::map<std::string, PersonBecomes> words = {
      {"in", [](auto&, auto& p) { p.in = true; }},
      {"away", [](auto&, auto& p) { p.in = false; }},
      {"gone", [](auto& s, auto& p) { leave(s, p.id); }},
      {"peer as given", [](auto& s, auto& p) { p.peer = s.join->peer_connected; }},
      {"peer there", [](auto&, auto& p) { p.peer = true; }},
      {"peer not there", [](auto&, auto& p) { p.peer = false; }},
      {"name as given",
       [](auto& s, auto& p) { p.name = std::get<cf::Rename>(s.ask.command.operation).name; }},
      {"muted_by_self", [](auto&, auto& p) { p.muted_by_self = true; }},
      {"muted_by_chair", [](auto&, auto& p) { p.muted_by_chair = true; }},
      {"not muted_by_self", [](auto&, auto& p) { p.muted_by_self = false; }},
      {"not muted_by_chair", [](auto&, auto& p) { p.muted_by_chair = false; }},
      {"camera_on", [](auto&, auto& p) { p.camera_on = true; }},
      {"camera_off", [](auto&, auto& p) { p.camera_on = false; }},
      {"shares as given", [](auto& s, auto& p) { p.share = s.wish; }},
      {"shares not", [](auto&, auto& p) { p.share = cf::Share::None; }},
      {"hand up", [](auto&, auto& p) { p.hand_up = true; }},
      {"hand down", [](auto&, auto& p) { p.hand_up = false; }},
  };
  return words;
}

const Person* chair_of(const ConferenceModel& m) {
  for (const Person& p : m.people)
    if (p.role == v1::ROLE_CHAIR) return &p;
  return nullptr;
}

bool another_shares(const Situation& s) {
  return std::any_of(s.m.people.begin(), s.m.people.end(),
                     [&](const Person& p) { return p.share != cf::Share::None && s.actor != p.id; });
}

bool sources_taken(const Situation& s) {
  const auto near = [&](const Person& p) {
    const auto a = int64_t{p.first_source}, b = int64_t{s.join->first_source.value()};
    return std::abs(a - b) < int64_t{cf::kSourcesPerParticipant};
  };
  return s.join->first_source.value() == 0 || std::any_of(s.m.people.begin(), s.m.people.end(), near);
}

const std::map<std::string, Holds>& conditions() {
  static const std::map<std::string, Holds> words = {
      {"conference ended", [](auto& s) { return s.m.ended; }},
      {"session barred", [](auto& s) { return s.m.barred.contains(s.join->session.value); }},
      {"session in", [](auto& s) { return s.known() && s.known()->in; }},
      {"session away", [](auto& s) { return s.known() && !s.known()->in; }},
      {"peer as known", [](auto& s) { return s.known()->peer == s.join->peer_connected; }},
      {"locked", [](auto& s) { return s.m.locked; }},
      {"unlocked", [](auto& s) { return !s.m.locked; }},
      {"no chair token", [](auto& s) { return !s.join->has_chair_token; }},
      {"full", [](auto& s) { return s.m.people.size() >= s.m.capacity; }},
      {"name bad", [](auto& s) { return s.ask.is_text_bad || s.ask.is_text_long; }},
      {"name as before", [](auto& s) { return name_of_ask_is(s, *s.find(s.actor)); }},
      {"source numbers taken", sources_taken},
      {"may not unmute self", [](auto& s) { return !s.m.may_unmute_self; }},
      {"on", [](auto& s) { return s.flag; }},
      {"off", [](auto& s) { return !s.flag; }},
      {"up", [](auto& s) { return s.flag; }},
      {"down", [](auto& s) { return !s.flag; }},
      {"another shares", another_shares},
      {"no target", [](auto& s) { return !s.named; }},
      {"target is another", [](auto& s) { return s.target() != s.actor; }},
      {"target is actor", [](auto& s) { return s.target() == s.actor; }},
      {"target absent", [](auto& s) { return !s.find(s.target()); }},
      {"target is the chair", [](auto& s) { return s.find(s.target())->role == v1::ROLE_CHAIR; }},
      {"text bad", [](auto& s) { return s.ask.is_text_bad; }},
      {"text too long", [](auto& s) { return s.ask.is_text_long; }},
      {"to oneself", [](auto& s) { return s.named && s.named == s.actor; }},
      {"to somebody absent", [](auto& s) { return s.named && !s.find(s.named); }},
      {"nobody in",
       [](auto& s) {
         return std::none_of(s.m.people.begin(), s.m.people.end(), [](auto& p) { return p.in; });
       }},
      {"no chair away", [](auto& s) { return !chair_of(s.m) || chair_of(s.m)->in; }},
      {"somebody listed", [](auto& s) { return !s.m.people.empty(); }},
  };
  return words;
}

void add_newcomer(Situation& s) {
  Person p;
  p.id = s.m.next_id++;
  p.name = s.join->name;
  p.session = s.join->session.value;
  p.role = s.join->has_chair_token ? v1::ROLE_CO_CHAIR : v1::ROLE_PARTICIPANT;
  p.muted_by_self = !s.join->microphone_on;
  p.camera_on = s.join->camera_on;
  p.peer = s.join->peer_connected;
  p.first_source = s.join->first_source.value();
  s.m.people.push_back(p);
}

void seat_chair(Situation& s) {
  if (chair_of(s.m)) return;
  for (Person& p : s.m.people) {
    if (p.role != v1::ROLE_CO_CHAIR || !p.in) continue;
    p.role = v1::ROLE_CHAIR;
    return;
  }
}

const std::map<std::string, Does>& effects() {
  static const std::map<std::string, Does> words = {
      {"add newcomer", add_newcomer},
      {"seat chair", seat_chair},
      {"nobody shares",
       [](auto& s) {
         for (Person& p : s.m.people) p.share = cf::Share::None;
       }},
      {"one more message", [](auto& s) { ++s.m.messages; }},
      {"bar target's session", [](auto& s) { s.m.barred.insert(s.find(s.target())->session); }},
      {"lock", [](auto& s) { s.m.locked = true; }},
      {"unlock", [](auto& s) { s.m.locked = false; }},
      {"everyone gone", [](auto& s) { s.m.people.clear(); }},
      {"conference ends", [](auto& s) { s.m.ended = true; }},
      {"everyone away",
       [](auto& s) {
         for (Person& p : s.m.people) p.in = false;
       }},
      {"chair becomes co-chair",
       [](auto& s) {
         for (Person& p : s.m.people)
           if (p.role == v1::ROLE_CHAIR) p.role = v1::ROLE_CO_CHAIR;
       }},
  };
  return words;
}

const std::map<std::string, cf::Happened>& happenings() {
  using H = cf::Happened;
  static const std::map<std::string, H> words = {
      {"joined", H::Joined},
      {"left", H::Left},
      {"muted", H::Muted},
      {"asked_to_unmute", H::AskedToUnmute},
      {"removed", H::Removed},
      {"hand_raised", H::HandRaised},
      {"hand_lowered", H::HandLowered},
      {"share_started", H::ShareStarted},
      {"share_stopped", H::ShareStopped},
      {"locked", H::Locked},
      {"unlocked", H::Unlocked},
      {"ended", H::Ended},
      {"renamed", H::Renamed},
      {"role_changed", H::RoleChanged},
  };
  return words;
}

// --- Reading cells
// ----------------------------------------------------------------------------------------------------

std::string trim(std::string_view text) {
  const size_t from = text.find_first_not_of(' ');
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(' ') - from + 1));
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(at);
    if (std::string part = trim(text.substr(0, end)); !part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Like split, with empty cells kept: "| a | | b |" has three.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  line.remove_prefix(1);
  for (size_t end = line.find('|'); end != std::string_view::npos; end = line.find('|')) {
    cells.push_back(trim(line.substr(0, end)));
    line.remove_prefix(end + 1);
  }
  return cells;
}

/// "actor.heard" -> {"actor", "heard"}; nothing for words about the conference.
std::optional<std::pair<std::string, std::string>> about_person(const std::string& phrase) {
  const size_t dot = phrase.find('.');
  if (dot == std::string::npos) return std::nullopt;
  return std::pair(phrase.substr(0, dot), phrase.substr(dot + 1));
}

template <class Words>
const typename Words::mapped_type& look_up(const Words& words, const std::string& word) {
  const auto it = words.find(word);
  if (it == words.end()) throw std::runtime_error("not in the vocabulary: " + word);
  return it->second;
}

bool holds(const std::string& phrase, const Situation& s) {
  const auto person = about_person(phrase);
  if (!person) return look_up(conditions(), phrase)(s);
  const Person* p = s.person(person->first);
  return p && look_up(person_conditions(), person->second)(s, *p);
}

void perform(const std::string& phrase, Situation& s) {
  const auto person = about_person(phrase);
  if (!person) return look_up(effects(), phrase)(s);
  look_up(person_effects(), person->second)(s, *s.person(person->first));
}

void check_vocabulary(const std::string& phrase, bool is_effect) {
  const auto person = about_person(phrase);
  if (person && is_effect) look_up(person_effects(), person->second);
  if (person && !is_effect) look_up(person_conditions(), person->second);
  if (!person && is_effect) look_up(effects(), phrase);
  if (!person && !is_effect) look_up(conditions(), phrase);
}

bool lists(const std::vector<std::string>& cell, const std::string& word) {
  return std::find(cell.begin(), cell.end(), word) != cell.end() || (cell.size() == 1 && cell[0] == "*");
}

struct Ids {
  std::optional<uint32_t> actor, target;
  uint32_t newcomer = 0;
  std::optional<uint32_t> old_chair;
};

cf::Happening happening_of(const std::string& cell, const Ids& ids, const ConferenceModel& after) {
  if (cell.empty()) return {};
  const auto words = split(cell, ' ');
  const cf::Happened what = look_up(happenings(), words[0]);
  if (words.size() == 1) return {what, {}};
  const Person* chair = chair_of(after);
  const std::map<std::string, uint32_t> whom = {
      {"actor", ids.actor.value_or(0)},
      {"target", ids.target.value_or(0)},
      {"newcomer", ids.newcomer},
      {"successor", chair ? chair->id : ids.old_chair.value_or(0)},
  };
  return {what, cf::ParticipantId(look_up(whom, words[1]))};
}

}  // namespace

TransitionTable TransitionTable::parse(std::string_view markdown) {
  TransitionTable table;
  for (const std::string& line : split(markdown, '\n')) {
    if (line.starts_with("## ")) break;
    const bool is_row = line.starts_with("|") && !line.starts_with("|-") && !line.starts_with("| operation ");
    if (!is_row) continue;
    const auto cells = cells_of(line);
    if (cells.size() != 6) throw std::runtime_error("not six cells: " + line);
    Row row{split(cells[0], ','),
            split(cells[1], ','),
            split(cells[2], ','),
            split(cells[5], ','),
            cells[3],
            cells[4],
            line};
    for (const std::string& phrase : row.conditions) check_vocabulary(phrase, false);
    for (const std::string& phrase : row.effects) check_vocabulary(phrase, true);
    table.rows_.push_back(std::move(row));
  }
  return table;
}

Expected TransitionTable::expect(const ConferenceModel& before, const Ask& ask) const {
  Expected expected;
  expected.after = before;
  Situation s = situation_of(expected.after, ask);
  const std::string operation(cf::to_string(ask.command.operation)), actor = actor_class(s);
  const auto fits = [&](const Row& row) {
    return lists(row.operations, operation) && lists(row.actors, actor) &&
           std::all_of(row.conditions.begin(), row.conditions.end(),
                       [&](auto& phrase) { return holds(phrase, s); });
  };
  const auto row = std::find_if(rows_.begin(), rows_.end(), fits);
  if (row == rows_.end()) throw std::runtime_error("no row for " + operation + " by " + actor);
  expected.row = static_cast<size_t>(row - rows_.begin());
  expected.result = row->result;
  Ids ids{s.actor, s.target(), before.next_id, {}};
  if (const Person* chair = chair_of(before)) ids.old_chair = chair->id;
  for (const std::string& phrase : row->effects) perform(phrase, s);
  expected.happening = happening_of(row->happening, ids, expected.after);
  return expected;
}

ConferenceModel model_of(const cf::State& state) {
  ConferenceModel m;
  m.ended = state.info.ended;
  m.locked = state.info.locked;
  m.may_unmute_self = state.info.settings.may_unmute_self;
  m.capacity = state.info.settings.limits.participants;
  m.next_id = state.next_participant.value();
  m.messages = state.next_chat.value() - 1;
  for (const auto& [id, p] : state.participants)
    m.people.push_back({id.value(), p.name, p.session.value, p.role, p.connection == v1::CONNECTION_STATE_IN,
                        p.muted_by_self, p.muted_by_chair, p.camera_on, p.share, p.hand_since.has_value(),
                        p.peer_connected, p.first_source.value()});
  for (const auto& session : state.barred) m.barred.insert(session.value);
  return m;
}

std::string to_string(const ConferenceModel& m) {
  std::string out = std::string(m.ended ? "ended " : "") + (m.locked ? "locked " : "") +
                    "messages=" + std::to_string(m.messages) + " barred=" + std::to_string(m.barred.size());
  for (const Person& p : m.people)
    out += "\n  p" + std::to_string(p.id) + " " + p.name + " (" + p.session +
           ") role=" + std::to_string(p.role) + (p.in ? " in" : " away") + (p.muted_by_self ? " self" : "") +
           (p.muted_by_chair ? " chair" : "") + (p.camera_on ? " camera" : "") + (p.hand_up ? " hand" : "") +
           (p.peer ? " peer" : "") + " share=" + std::to_string(static_cast<int>(p.share));
  return out;
}

}  // namespace huitang::sim
