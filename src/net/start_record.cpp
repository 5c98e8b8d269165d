#include "net/start_record.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "net/service_notify.h"

namespace huitang::net {

namespace {

constexpr core::Duration kFirst = core::Duration::seconds(1), kLongest = core::Duration::seconds(30);
/// Beyond any that matters; keeps a damaged file from being one.
constexpr uint32_t kMost = 1'000'000;
/// What systemd gives a start after the pause, as the units do.
constexpr core::Duration kStartTime = core::Duration::seconds(60);

/// False when SIGTERM or SIGINT came. Both are blocked only meanwhile; one that came before ends the wait, too.
bool wait_for_end(core::Duration pause) {
  sigset_t ends, before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, &before);
  const timespec limit{pause.to_nanos() / 1'000'000'000, pause.to_nanos() % 1'000'000'000};
  int signal;
  do {
    signal = ::sigtimedwait(&ends, nullptr, &limit);
  } while (signal < 0 && errno == EINTR);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return signal < 0;
}

}  // namespace

core::Duration pause_before_start(uint32_t quick_ends) {
  if (quick_ends < 2) return {};
  core::Duration pause = kFirst;
  for (uint32_t i = 2; i < quick_ends && pause < kLongest; ++i) pause = pause * 2;
  return std::min(pause, kLongest);
}

std::optional<StartRecord> StartRecord::of_service(std::string_view name) {
  const char* folders = std::getenv("RUNTIME_DIRECTORY");
  if (folders == nullptr) return std::nullopt;
  // Several are joined by colons; the first is the one that the unit names first.
  const std::string folder = std::string(folders).substr(0, std::string_view(folders).find(':'));
  if (folder.empty() || folder.front() != '/') return std::nullopt;
  return StartRecord(folder + "/" + std::string(name) + ".starts");
}

uint32_t StartRecord::count() const {
  std::ifstream file(path_);
  uint32_t count = 0;
  if (!(file >> count) || count > kMost) return 0;
  return count;
}

void StartRecord::handle_start() { write(std::min(count() + 1, kMost)); }

void StartRecord::handle_lived() {
  if (count() != 0) write(0);
}

/// In one step, as the other service may be reading. What cannot be written is left: a full disk must not keep a service
/// from starting.
void StartRecord::write(uint32_t count) const {
  const std::string beside = path_ + ".new";
  std::ofstream file(beside, std::ios::trunc);
  file << count << '\n';
  file.close();
  if (file) std::rename(beside.c_str(), path_.c_str());
}

bool await_turn_to_start(std::string_view service) {
  std::optional<StartRecord> record = StartRecord::of_service(service);
  if (!record) return true;
  const uint32_t quick_ends = record->count();
  record->handle_start();
  const core::Duration pause = pause_before_start(quick_ends);
  if (pause <= core::Duration()) return true;
  const std::string why = "ended " + std::to_string(quick_ends) +
                          " times in a row soon after its start; trying again in " +
                          std::to_string(pause.to_millis() / 1000) + " s";
  std::fprintf(stderr, "huitang %s: %s\n", std::string(service).c_str(), why.c_str());
  notify_service("STATUS=" + why +
                 "\nEXTEND_TIMEOUT_USEC=" + std::to_string((pause + kStartTime).to_micros()));
  if (wait_for_end(pause)) return true;
  record->handle_lived();
  return false;
}

}  // namespace huitang::net
