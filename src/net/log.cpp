#include "net/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <functional>
#include <memory>

namespace huitang::net {

namespace {

std::shared_ptr<spdlog::logger> make_logger(std::string_view process) {
  auto logger = std::make_shared<spdlog::logger>(std::string(process),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = make_logger("huitang");
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Error: return spdlog::level::err;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Trace: return spdlog::level::trace;
  }
  return spdlog::level::info;
}

/// Salted by the process, so that digests of two runs or machines cannot be matched.
std::string digest(std::string_view secret) {
  static const size_t salt =
      std::hash<int>()(static_cast<int>(::getpid())) ^ reinterpret_cast<size_t>(&logger());
  const size_t h = std::hash<std::string_view>()(secret) ^ (salt * 0x9e3779b97f4a7c15ULL);
  char text[16];
  std::snprintf(text, sizeof text, "#%06zx", (h ^ (h >> 24)) & 0xffffff);
  return text;
}

bool needs_quotes(std::string_view v) { return v.empty() || v.find_first_of(" =\"\\\n\r\t") != v.npos; }

void append_value(std::string& out, std::string_view v) {
  if (!needs_quotes(v)) {
    out += v;
    return;
  }
  out += '"';
  for (const char c : v) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n' || c == '\r')
      out += "\\n";
    else
      out += c;
  }
  out += '"';
}

}  // namespace

LogField::LogField(std::string_view key, Redacted value) : key_(key), value_(digest(value.secret)) {}
LogField::LogField(std::string_view key, const core::Failure& failure)
    : key_(key), value_(failure.context + ": " + failure.code.message()) {}

void set_log(std::string_view process, LogLevel level) {
  logger() = make_logger(process);
  logger()->set_level(to_spdlog(level));
}

std::string format_log(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& f : fields) {
    line += ' ';
    line += f.key();
    line += '=';
    append_value(line, f.value());
  }
  return line;
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!logger()->should_log(to_spdlog(level))) return;
  logger()->log(to_spdlog(level), "{}", format_log(event, fields));
}

}  // namespace huitang::net
