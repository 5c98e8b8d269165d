#include "doctor/trial.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <map>
#include <string>

namespace huitang::doctor {

namespace {

struct BotSeen {
  bool joined = false, connected = false, sees = false, hears = false;
};

class Judge {
 public:
  void take(const google::protobuf::Struct& line) {
    const std::string bot = text(line, "bot");
    const std::string event = text(line, "event");
    if (bot.empty()) return;
    BotSeen& seen = bots_[bot];
    const bool is_second = bot.ends_with(" 2");
    // What the other one sends.
    const double mark = kTrialMark + (is_second ? 0 : 1);
    const double tone = kTrialTone + (is_second ? 0 : 100);
    if (event == "joined") seen.joined = true;
    if (event == "media") seen.connected = seen.connected || flag(line, "connected");
    if (event == "mark") seen.sees = seen.sees || number(line, "mark") == mark;
    if (event == "tones") seen.hears = seen.hears || hears(line, tone);
    if (event == "refused") obstacle_ = text(line, "code") + " " + text(line, "detail");
  }
  PathFacts facts() const {
    PathFacts facts;
    facts.is_tried = true;
    facts.obstacle = obstacle_;
    for (const auto& [name, seen] : bots_) {
      facts.joined += seen.joined ? 1 : 0;
      facts.connected += seen.connected ? 1 : 0;
      facts.seeing += seen.sees ? 1 : 0;
      facts.hearing += seen.hears ? 1 : 0;
    }
    return facts;
  }

 private:
  static std::string text(const google::protobuf::Struct& line, const char* key) {
    const auto field = line.fields().find(key);
    return field == line.fields().end() ? std::string() : field->second.string_value();
  }
  static double number(const google::protobuf::Struct& line, const char* key) {
    const auto field = line.fields().find(key);
    return field == line.fields().end() ? 0 : field->second.number_value();
  }
  static bool flag(const google::protobuf::Struct& line, const char* key) {
    const auto field = line.fields().find(key);
    return field != line.fields().end() && field->second.bool_value();
  }
  static bool hears(const google::protobuf::Struct& line, double tone) {
    const auto field = line.fields().find("hertz");
    if (field == line.fields().end()) return false;
    for (const google::protobuf::Value& value : field->second.list_value().values())
      if (std::abs(value.number_value() - tone) < 10) return true;
    return false;
  }

  std::map<std::string, BotSeen> bots_;
  std::string obstacle_;
};

}  // namespace

PathFacts judge_trial(std::string_view lines) {
  Judge judge;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    if (end == std::string_view::npos) break;  // not whole yet
    const std::string line(lines.substr(0, end));
    lines.remove_prefix(end + 1);
    google::protobuf::Struct parsed;
    if (line.starts_with('{') && google::protobuf::util::JsonStringToMessage(line, &parsed).ok())
      judge.take(parsed);
  }
  return judge.facts();
}

bool is_success(const PathFacts& facts) {
  return facts.joined >= facts.bots && facts.connected >= facts.bots && facts.seeing >= facts.bots &&
         facts.hearing >= facts.bots;
}

}  // namespace huitang::doctor
