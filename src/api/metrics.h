// Counters and gauges of the control plane, from one catalogue: each has a name, a unit in it, and a help
// text that tells a caretaker what it means. `/metrics` writes them in the Prometheus text format.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace huitang::api {

enum class Metric : uint8_t {
  ConnectionsOpen,
  ConnectionsAccepted,
  ConnectionsRefused,
  ConnectionsStrange,
  ConnectionsCrowdedOut,
  ConnectionsOverdue,
  TlsFailed,
  HttpRequests,
  HttpRefused,
  SocketsOpen,
  SocketsTooSlow,
  SocketMessagesIn,
  SocketMessagesOut,
  SocketBytesOut,
  SocketsAbusive,
  MessagesBroken,
  MessagesLimited,
  Sessions,
  SessionsResumed,
  TokensChecked,
  SecretsChecked,
  ResumesRefused,
  InvitesRefused,
  AdminsRefused,
  SocketsReplaced,
  Conferences,
  Participants,
  ParticipantsReconnecting,
  JoinsRefused,
  JoinsAlarm,
  CommandsDone,
  CommandsRefused,
  JournalWrites,
  JournalFailures,
  JournalPending,
  StoreSilent,
  MediaConnected,
  MediaConnects,
  MediaNodesReplaced,
  MediaNodesSilent,
  MediaCrashLoop,
  MediaRequestsFailed,
  MediaStarts,
  BoxFull,
  BotsRestarted,
  kCount
};

struct MetricRow {
  Metric metric;
  std::string_view name;
  bool is_gauge;
  std::string_view help;
};

class Metrics {
 public:
  void add(Metric metric, uint64_t n = 1) { values_[static_cast<size_t>(metric)] += n; }
  void subtract(Metric metric, uint64_t n = 1) { values_[static_cast<size_t>(metric)] -= n; }
  void set(Metric metric, uint64_t value) { values_[static_cast<size_t>(metric)] = value; }
  uint64_t get(Metric metric) const { return values_[static_cast<size_t>(metric)]; }

  /// Of the media node's last NodeHealth; exported as huitang_media_<name>.
  void set_media(std::map<std::string, uint64_t> counters) { media_ = std::move(counters); }

  std::string to_prometheus() const;
  /// By the names of the catalogue.
  std::map<std::string, uint64_t> figures() const;

 private:
  std::array<uint64_t, static_cast<size_t>(Metric::kCount)> values_{};
  std::map<std::string, uint64_t> media_;
};

}  // namespace huitang::api
