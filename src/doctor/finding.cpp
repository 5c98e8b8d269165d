#include "doctor/finding.h"

#include <algorithm>
#include <cstdio>

namespace huitang::doctor {

namespace {

std::string_view name_of(Grade grade) {
  switch (grade) {
    case Grade::Ok: return "ok";
    case Grade::Warning: return "warning";
    case Grade::Error: return "error";
  }
  return "?";
}

std::string_view label_of(Grade grade, Language language) {
  const bool zh = language == Language::Chinese;
  switch (grade) {
    case Grade::Ok: return zh ? "[正常]" : "[ok]     ";
    case Grade::Warning: return zh ? "[注意]" : "[warning]";
    case Grade::Error: return zh ? "[错误]" : "[error]  ";
  }
  return "?";
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string object(const Words& words) {
  return "{\"zh\":" + quoted(words.zh) + ",\"en\":" + quoted(words.en) + "}";
}

const std::string& in(Language language, const Words& words) {
  return language == Language::Chinese ? words.zh : words.en;
}

}  // namespace

Language language_of(std::string_view locale) {
  return locale.starts_with("zh") ? Language::Chinese : Language::English;
}

Grade worst(const Findings& findings) {
  Grade grade = Grade::Ok;
  for (const Finding& finding : findings) grade = std::max(grade, finding.grade);
  return grade;
}

std::string to_text(const Findings& findings, Language language) {
  std::string out;
  for (const Finding& finding : findings) {
    out.append(label_of(finding.grade, language)).append(" ").append(finding.id).append(": ");
    out.append(in(language, finding.what)).append("\n");
    if (const std::string& advice = in(language, finding.advice); !advice.empty())
      out.append(language == Language::Chinese ? "       → " : "          → ").append(advice).append("\n");
  }
  const auto count = [&findings](Grade grade) {
    return std::to_string(
        std::ranges::count_if(findings, [grade](const Finding& f) { return f.grade == grade; }));
  };
  const std::string errors = count(Grade::Error), warnings = count(Grade::Warning);
  return out + (language == Language::Chinese ? "错误 " + errors + " 项，注意 " + warnings + " 项\n"
                                              : errors + " errors, " + warnings + " warnings\n");
}

std::string to_json(const Findings& findings) {
  std::string out = "{\"worst\":" + quoted(name_of(worst(findings))) + ",\"findings\":[";
  for (const Finding& finding : findings) {
    if (out.back() != '[') out += ',';
    out += "{\"id\":" + quoted(finding.id) + ",\"grade\":" + quoted(name_of(finding.grade)) +
           ",\"what\":" + object(finding.what) + ",\"advice\":" + object(finding.advice) + "}";
  }
  return out + "]}\n";
}

}  // namespace huitang::doctor
