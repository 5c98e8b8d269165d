// Runs the text scenarios of tests/scenario: each file is one test. The language is the table of phrases
// below.
//
//   > alice mutes bob        an input; without an expectation after it, it has to be accepted
//   < muted bob              its outcome: a happening, `changed`, `nothing`, `repeated`, or `refused CODE`
//   ~ bob microphone closes  an intent for media that it had
//   ? bob is muted           what holds now
//   @ 90s                    time passes
//   #                        a comment
//
// `conference KEY=VALUE …` on the first line sets what it is made with. A trailing `[id]` on an input is its
// command id. After every input the journal so far is replayed from the first snapshot and has to give the
// same state.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>

#include "conference/conference.h"

namespace huitang::conference {
namespace {

namespace fs = std::filesystem;
const fs::path kFolder = "tests/scenario";

using Words = std::smatch;
using ApplyResult = core::Result<Effects, Refusal>;

class Scene {
 public:
  explicit Scene(const std::string& options) : conference_(make(options)), first_(conference_.snapshot()) {}

  // --- what inputs are made of
  ParticipantId id(const std::string& name) const {
    const auto it = ids_.find(name);
    return it != ids_.end() ? it->second : ParticipantId(999);
  }
  Actor actor(const std::string& name) const {
    if (name == "api") return {std::nullopt, v1::ENTRANCE_API};
    if (name == "system") return {std::nullopt, v1::ENTRANCE_AUTOMATIC};
    if (name == "stranger") return {std::nullopt, v1::ENTRANCE_PAGE};
    return {id(name), v1::ENTRANCE_PAGE};
  }
  void input(const std::string& who, Operation operation, const std::string& command_id) {
    is_judged_ = false;
    last_ = conference_.apply(now_, {command_id, std::move(operation)}, actor(who));
    if (last_change()) journal_.push_back(*last_change());
  }
  void join(const std::string& who, Join join, const std::string& command_id) {
    if (join.name.empty()) join.name = who;
    if (join.session.value.empty()) join.session.value = "session of " + who;
    join.first_source = SourceNumber(next_source_);
    next_source_ += kSourcesPerParticipant;
    const bool is_in = conference_.find(id(who));
    input(is_in ? who : "stranger", join, command_id);
    if (effects() && effects()->joined) ids_[who] = *effects()->joined;
  }
  // A Join that comes once more for a session that is in: the shell has no participant for the new socket
  // yet.
  void join_again(const std::string& who, Join join, const std::string& command_id) {
    join.name = who;
    join.session.value = "session of " + who;
    input("stranger", join, command_id);
    if (effects() && effects()->joined) ids_[who] = *effects()->joined;
  }
  void pass(core::Duration d) {
    now_ = core::WallTime::from_unix_millis(now_.to_unix_millis() + d.to_millis());
  }
  void mark_judged() { is_judged_ = true; }

  // --- what expectations look at
  std::string outcome() const {
    if (!effects()) return "refused " + v1::RefusalCode_Name(last_->error().code).substr(13);
    if (effects()->repeated) return "repeated";
    return last_change() ? happening(last_change()->happening) : "nothing";
  }
  bool is_settled() const { return !last_ || is_judged_ || last_->has_value(); }
  std::vector<std::string> media() const {
    std::vector<std::string> lines;
    if (!effects()) return lines;
    for (const MediaIntent& intent : effects()->media) lines.push_back(std::visit(*this, intent));
    return lines;
  }
  std::string operator()(const ForwardSource& f) const {
    static const char* const kinds[] = {"?", "microphone", "camera", "screen", "screen audio"};
    return name(f.participant) + " " + kinds[f.kind] + (f.forwarded ? " opens" : " closes");
  }
  std::string operator()(const Listen& l) const { return name(l.participant) + " listens"; }
  std::string operator()(const LetGo& l) const { return name(l.participant) + " let go"; }
  std::string operator()(const CloseGroup&) const { return "group closes"; }

  const Conference& conference() const { return conference_; }
  const Participant* find(const std::string& name) const { return conference_.find(id(name)); }
  const Effects* effects() const { return last_ && last_->has_value() ? &last_->value() : nullptr; }
  const Change* last_change() const { return effects() && effects()->change ? &*effects()->change : nullptr; }

  void check_journal() const {
    auto replayed = Conference::from_snapshot(first_);
    ASSERT_TRUE(replayed);
    ASSERT_TRUE(replayed->replay(journal_));
    EXPECT_EQ(replayed->snapshot(), conference_.snapshot()) << "the journal does not give the state again";
    EXPECT_TRUE(conference_.is_consistent());
  }

 private:
  static Conference make(const std::string& options) {
    Create create{"123456789", "Weekly", {}};
    std::smatch m;
    if (std::regex_search(options, m, std::regex("participants=(\\d+)")))
      create.settings.limits.participants = static_cast<uint32_t>(std::stoul(m[1]));
    if (std::regex_search(options, m, std::regex("chat_kept=(\\d+)")))
      create.settings.limits.chat_kept = static_cast<uint32_t>(std::stoul(m[1]));
    create.settings.may_unmute_self = options.find("may_unmute_self=no") == std::string::npos;
    return *Conference::create(core::WallTime::from_unix_millis(1'800'000'000'000), create);
  }
  std::string name(ParticipantId who) const {
    for (const auto& [name, known] : ids_)
      if (known == who) return name;
    return to_text(who);
  }
  std::string happening(const Happening& h) const {
    static const char* const words[] = {"changed",         "joined",        "left",        "muted",
                                        "asked_to_unmute", "removed",       "hand_raised", "hand_lowered",
                                        "share_started",   "share_stopped", "locked",      "unlocked",
                                        "ended",           "renamed",       "role_changed"};
    const std::string word = words[static_cast<size_t>(h.what)];
    return h.who.value() ? word + " " + name(h.who) : word;
  }

  Conference conference_;
  State first_;
  std::vector<Change> journal_;
  std::map<std::string, ParticipantId> ids_;
  core::WallTime now_ = core::WallTime::from_unix_millis(1'800'000'000'000);
  uint32_t next_source_ = 1;
  std::optional<ApplyResult> last_;
  bool is_judged_ = false;  ///< its outcome was expected
};

// --- Inputs
// ----------------------------------------------------------------------------------------------------------

struct InputPhrase {
  const char* pattern;  ///< after the actor's name
  std::function<Operation(const Scene&, const Words&)> make;
};

std::string chat_text(const std::string& quoted) {
  std::smatch m;
  if (std::regex_match(quoted, m, std::regex("(\\d+) times (.+)"))) {
    std::string text;
    for (unsigned long n = std::stoul(m[1]); n > 0; --n) text += m[2];
    return text;
  }
  return quoted;
}

const std::vector<InputPhrase>& input_phrases() {
  static const std::vector<InputPhrase> phrases = {
      {"opens microphone", [](auto&, auto&) { return SetMicrophone{true}; }},
      {"closes microphone", [](auto&, auto&) { return SetMicrophone{false}; }},
      {"opens camera", [](auto&, auto&) { return SetCamera{true}; }},
      {"closes camera", [](auto&, auto&) { return SetCamera{false}; }},
      {"shares", [](auto&, auto&) { return StartShare{false}; }},
      {"shares with audio", [](auto&, auto&) { return StartShare{true}; }},
      {"stops sharing", [](auto&, auto&) { return StopShare{}; }},
      {"stops share of (\\w+)", [](auto& s, auto& m) { return StopShare{s.id(m[1])}; }},
      {"raises hand",
       [](auto&, auto&) {
         return SetHand{true, {}};
       }},
      {"lowers hand",
       [](auto&, auto&) {
         return SetHand{false, {}};
       }},
      {"raises hand of (\\w+)",
       [](auto& s, auto& m) {
         return SetHand{true, s.id(m[1])};
       }},
      {"lowers hand of (\\w+)",
       [](auto& s, auto& m) {
         return SetHand{false, s.id(m[1])};
       }},
      {"says \"(.*)\"",
       [](auto&, auto& m) {
         return SendChat{chat_text(m[1]), {}};
       }},
      {"says \"(.*)\" to (\\w+)",
       [](auto& s, auto& m) {
         return SendChat{chat_text(m[1]), s.id(m[2])};
       }},
      {"mutes (\\w+)", [](auto& s, auto& m) { return MuteOther{s.id(m[1])}; }},
      {"asks (\\w+) to unmute", [](auto& s, auto& m) { return AskUnmute{s.id(m[1])}; }},
      {"removes (\\w+)", [](auto& s, auto& m) { return RemoveParticipant{s.id(m[1])}; }},
      {"locks", [](auto&, auto&) { return SetLock{true}; }},
      {"unlocks", [](auto&, auto&) { return SetLock{false}; }},
      {"ends the conference", [](auto&, auto&) { return EndConference{}; }},
      {"leaves", [](auto&, auto&) { return Leave{}; }},
      {"renames to \"(.*)\"", [](auto&, auto& m) { return Rename{chat_text(m[1])}; }},
      {"loses session of (\\w+)", [](auto& s, auto& m) { return SessionLost{s.id(m[1])}; }},
      {"has session of (\\w+) back", [](auto& s, auto& m) { return SessionBack{s.id(m[1])}; }},
      {"gives up (\\w+)", [](auto& s, auto& m) { return LostTooLong{s.id(m[1])}; }},
      {"restarts", [](auto&, auto&) { return AllSessionsLost{}; }},
      {"has peer of (\\w+)", [](auto& s, auto& m) { return PeerConnected{s.id(m[1])}; }},
      {"loses peer of (\\w+)", [](auto& s, auto& m) { return PeerGone{s.id(m[1])}; }},
      {"misses the chair", [](auto&, auto&) { return ChairAwayTooLong{}; }},
      {"finds it empty", [](auto&, auto&) { return EmptyTooLong{}; }},
  };
  return phrases;
}

bool mentions(const std::string& line, const char* word) { return line.find(word) != std::string::npos; }

Join parse_join(const std::string& rest) {
  Join join;
  join.has_chair_token = mentions(rest, "with chair token");
  join.microphone_on = mentions(rest, "with microphone");
  join.camera_on = mentions(rest, "with camera");
  join.peer_connected = !mentions(rest, "without peer");
  std::smatch m;
  if (std::regex_search(rest, m, std::regex("called \"(.*)\""))) join.name = chat_text(m[1]);
  if (std::regex_search(rest, m, std::regex("through (\\w+)"))) join.session.value = m[1];
  return join;
}

void do_input(Scene& scene, const std::string& line) {
  std::smatch m;
  ASSERT_TRUE(std::regex_match(line, m, std::regex("(\\w+) (.*?)(?: \\[(\\w+)\\])?"))) << "not an input";
  const std::string who = m[1], what = m[2], command_id = m[3];
  if (what.starts_with("joins again")) return scene.join_again(who, parse_join(what), command_id);
  if (what.starts_with("joins")) return scene.join(who, parse_join(what), command_id);
  for (const InputPhrase& phrase : input_phrases()) {
    std::smatch words;
    if (!std::regex_match(what, words, std::regex(phrase.pattern))) continue;
    return scene.input(who, phrase.make(scene, words), command_id);
  }
  FAIL() << "no such input";
}

// --- Expectations
// ----------------------------------------------------------------------------------------------------

struct StatePhrase {
  const char* pattern;
  std::function<bool(const Scene&, const Words&)> holds;
};

/// `is WORD` about a participant.
const std::map<std::string, std::function<bool(const Info&, const Participant&)>>& adjectives() {
  static const std::map<std::string, std::function<bool(const Info&, const Participant&)>> words = {
      {"muted", [](auto& i, auto& p) { return is_muted(i, p); }},
      {"heard", [](auto& i, auto& p) { return is_active(i, p, v1::SOURCE_KIND_MICROPHONE); }},
      {"seen", [](auto& i, auto& p) { return is_active(i, p, v1::SOURCE_KIND_CAMERA); }},
      {"muted by chair", [](auto&, auto& p) { return p.muted_by_chair; }},
      {"muted by self", [](auto&, auto& p) { return p.muted_by_self; }},
      {"sharing", [](auto&, auto& p) { return p.is_sharing(); }},
      {"in", [](auto&, auto& p) { return p.connection == v1::CONNECTION_STATE_IN; }},
      {"away",
       [](auto&, auto& p) { return p.away_since && p.connection == v1::CONNECTION_STATE_RECONNECTING; }},
      {"chair", [](auto&, auto& p) { return p.role == v1::ROLE_CHAIR; }},
      {"co-chair", [](auto&, auto& p) { return p.role == v1::ROLE_CO_CHAIR; }},
      {"participant", [](auto&, auto& p) { return p.role == v1::ROLE_PARTICIPANT; }},
  };
  return words;
}

bool reads(const Scene& scene, const std::string& who, const std::string& text) {
  for (const ChatMessage& m : scene.conference().chat_of(scene.id(who)))
    if (m.text == text) return true;
  return false;
}

const std::vector<StatePhrase>& state_phrases() {
  static const std::vector<StatePhrase> phrases = {
      {"conference is locked", [](auto& s, auto&) { return s.conference().info().locked; }},
      {"conference is ended", [](auto& s, auto&) { return s.conference().info().ended; }},
      {"conference is empty", [](auto& s, auto&) { return s.conference().info().empty_since.has_value(); }},
      {"conference has (\\d+)",
       [](auto& s, auto& m) { return s.conference().snapshot().participants.size() == std::stoul(m[1]); }},
      {"conference keeps (\\d+) messages",
       [](auto& s, auto& m) { return s.conference().snapshot().chat.size() == std::stoul(m[1]); }},
      {"change (\\d+)",
       [](auto& s, auto& m) { return s.conference().snapshot().last_change == std::stoul(m[1]); }},
      {"(\\w+) is listed", [](auto& s, auto& m) { return s.find(m[1]) != nullptr; }},
      {"(\\w+) ha(?:s|ve) hand up", [](auto& s, auto& m) { return s.find(m[1])->hand_since.has_value(); }},
      {"(\\w+) is called \"(.*)\"", [](auto& s, auto& m) { return s.find(m[1])->name == m[2]; }},
      {"(\\w+) reads? \"(.*)\"", [](auto& s, auto& m) { return reads(s, m[1], m[2]); }},
      {"(\\w+) is told only a number",
       [](auto& s, auto& m) {
         const Change seen = seen_by(*s.last_change(), s.id(m[1]));
         return seen.number == s.last_change()->number && seen.chat.empty() && !seen.by &&
                seen.by_name.empty();
       }},
      {"(\\w+) is (.+)",
       [](auto& s, auto& m) {
         const auto word = adjectives().find(m[2]);
         EXPECT_NE(word, adjectives().end()) << "no such word";
         const Participant* p = s.find(m[1]);
         return word != adjectives().end() && p && word->second(s.conference().info(), *p);
       }},
  };
  return phrases;
}

void check_state(const Scene& scene, std::string line) {
  const bool expected = !std::regex_search(line, std::regex(" not "));
  if (!expected) line = std::regex_replace(line, std::regex(" (does )?not "), " ");
  for (const StatePhrase& phrase : state_phrases()) {
    std::smatch words;
    if (!std::regex_match(line, words, std::regex(phrase.pattern))) continue;
    EXPECT_EQ(phrase.holds(scene, words), expected);
    return;
  }
  FAIL() << "no such expectation";
}

void check_media(const Scene& scene, const std::string& line) {
  const auto media = scene.media();
  const bool is_there = std::find(media.begin(), media.end(), line) != media.end();
  EXPECT_TRUE(line == "nothing" ? media.empty() : is_there) << ::testing::PrintToString(media);
}

void do_line(Scene& scene, const std::string& line) {
  const std::string rest = line.size() > 2 ? line.substr(2) : "";
  switch (line[0]) {
    case '>': return do_input(scene, rest), scene.check_journal();
    case '<': EXPECT_EQ(scene.outcome(), rest); return scene.mark_judged();
    case '~': return check_media(scene, rest);
    case '?': return check_state(scene, rest);
    case '@': return scene.pass(core::Duration::seconds(std::stol(rest)));
    default: FAIL() << "a line starts with one of > < ~ ? @ #";
  }
}

class ConferenceScenario : public ::testing::TestWithParam<std::string> {};

// A refusal has to be expected.
TEST_P(ConferenceScenario, goes_as_written) {
  std::ifstream file(kFolder / GetParam());
  ASSERT_TRUE(file);
  std::optional<Scene> scene;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    SCOPED_TRACE(GetParam() + ":" + std::to_string(number) + ": " + line);
    const bool is_header = line.starts_with("conference");
    if (!scene) scene.emplace(is_header ? line : "");
    if (is_header) continue;
    if (line[0] == '>') {
      EXPECT_TRUE(scene->is_settled()) << "the input before was " << scene->outcome();
    }
    do_line(*scene, line);
    if (HasFatalFailure()) return;
  }
  ASSERT_TRUE(scene) << "empty scenario";
  EXPECT_TRUE(scene->is_settled()) << "the last input was " << scene->outcome();
}

std::vector<std::string> scenario_files() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(kFolder, ignored))
    if (entry.path().extension() == ".scenario") names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, ConferenceScenario, ::testing::ValuesIn(scenario_files()),
                         [](const auto& file) {
                           return std::regex_replace(file.param, std::regex("[^a-zA-Z0-9]"), "_");
                         });

TEST(ConferenceScenarios, are_there) { EXPECT_GE(scenario_files().size(), 25u); }

}  // namespace
}  // namespace huitang::conference
