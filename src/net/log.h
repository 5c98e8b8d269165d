// Our log over spdlog: levels, key-value pairs, inherited context, and a type that hides what must not be
// read.
//
//   const Logger log = root_logger().with({{"worker", 0}});
//   log.info("peer opened", {{"peer", id}, {"name", Redacted(name)}});
//   → 2026-01-02T03:04:05.678Z info  peer opened worker=0 peer=7 name=#5f1a09c2
//
// error: someone lost service; warn: anomaly handled; info: one line per lifecycle step; debug: messages;
// trace: packets.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "core/address.h"

namespace huitang::net {

enum class LogLevel { Trace, Debug, Info, Warn, Error, Off };
std::string_view to_string(LogLevel level);

/// Names, tokens, addresses, message bodies. Shows as a short hash, keyed anew in each process, so that lines
/// of one subject can be matched with each other and with nothing else.
class Redacted {
 public:
  explicit Redacted(std::string_view secret) : text_(secret) {}
  explicit Redacted(const core::SocketAddress& address) : text_(core::to_string(address)) {}
  std::string shown() const;

 private:
  std::string text_;
};

class LogField {
 public:
  LogField(std::string_view key, std::string_view value);
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const Redacted& value);
  LogField(std::string_view key, bool value);
  LogField(std::string_view key, double value);
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view key, T value) : key_(key), value_(std::to_string(value)) {}

  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

using LogFields = std::initializer_list<LogField>;

/// Cheap to copy; may be used from several threads.
class Logger {
 public:
  /// A logger whose lines also carry these fields.
  Logger with(LogFields fields) const;
  bool is_enabled(LogLevel level) const;
  void log(LogLevel level, std::string_view message, LogFields fields = {}) const;
  void trace(std::string_view message, LogFields fields = {}) const { log(LogLevel::Trace, message, fields); }
  void debug(std::string_view message, LogFields fields = {}) const { log(LogLevel::Debug, message, fields); }
  void info(std::string_view message, LogFields fields = {}) const { log(LogLevel::Info, message, fields); }
  void warn(std::string_view message, LogFields fields = {}) const { log(LogLevel::Warn, message, fields); }
  void error(std::string_view message, LogFields fields = {}) const { log(LogLevel::Error, message, fields); }

 private:
  std::string context_;
};

/// To standard error unless `file` is given. Call once, before threads start; without it: Info to standard
/// error.
struct LogConfig {
  LogLevel level = LogLevel::Info;
  std::string file;
};
void configure_log(const LogConfig& config);
void set_log_level(LogLevel level);
Logger root_logger();

}  // namespace huitang::net
