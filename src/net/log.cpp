#include "net/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <cstdio>

namespace huitang::net {

namespace {

std::shared_ptr<spdlog::logger> make_logger(const LogConfig& config) {
  spdlog::sink_ptr sink;
  if (config.file.empty())
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  else
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(config.file);
  auto logger = std::make_shared<spdlog::logger>("huitang", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::shared_ptr<spdlog::logger>& sink() {
  static std::shared_ptr<spdlog::logger> instance = make_logger({});
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Trace: return spdlog::level::trace;
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
    case LogLevel::Off: return spdlog::level::off;
  }
  return spdlog::level::info;
}

uint64_t process_key() {
  static const uint64_t key = [] {
    uint64_t k = 0;
    [[maybe_unused]] const auto n = ::getrandom(&k, sizeof k, 0);
    return k;
  }();
  return key;
}

void append_value(std::string& out, std::string_view value) {
  if (!value.empty() && value.find_first_of(" =\"\\\n\r\t") == value.npos) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += c == '\n' ? "\\n" : "?";
    else
      out += c;
  }
  out += '"';
}

void append_fields(std::string& out, LogFields fields) {
  for (const LogField& field : fields) {
    out += ' ';
    out += field.key();
    out += '=';
    append_value(out, field.value());
  }
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::Trace: return "trace";
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warn: return "warn";
    case LogLevel::Error: return "error";
    case LogLevel::Off: return "off";
  }
  return "?";
}

/// FNV-1a over a random key and the text, folded to 32 bits: enough to match lines, useless to find the text.
std::string Redacted::shown() const {
  uint64_t h = 0xcbf29ce484222325ULL ^ process_key();
  for (const char c : text_) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ULL;
  char text[16];
  std::snprintf(text, sizeof text, "#%08x", static_cast<unsigned>(h >> 32));
  return text;
}

LogField::LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
LogField::LogField(std::string_view key, const Redacted& value) : key_(key), value_(value.shown()) {}
LogField::LogField(std::string_view key, bool value) : key_(key), value_(value ? "yes" : "no") {}
LogField::LogField(std::string_view key, double value) : key_(key) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  value_ = text;
}

Logger Logger::with(LogFields fields) const {
  Logger child = *this;
  append_fields(child.context_, fields);
  return child;
}

bool Logger::is_enabled(LogLevel level) const { return sink()->should_log(to_spdlog(level)); }

void Logger::log(LogLevel level, std::string_view message, LogFields fields) const {
  if (!is_enabled(level)) return;
  std::string line(message);
  line += context_;
  append_fields(line, fields);
  sink()->log(to_spdlog(level), "{}", line);
}

void configure_log(const LogConfig& config) {
  sink() = make_logger(config);
  set_log_level(config.level);
}

void set_log_level(LogLevel level) { sink()->set_level(to_spdlog(level)); }

Logger root_logger() { return Logger(); }

}  // namespace huitang::net
