#include "api/debug_snapshot.h"

#include <google/protobuf/util/json_util.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "huitang/v1/debug.pb.h"
#include "net/log.h"

namespace huitang::api {

std::string Veil::shown(std::string_view text) const {
  return revealed_ || text.empty() ? std::string(text) : hidden(text);
}

std::string Veil::hidden(std::string_view secret) {
  return secret.empty() ? std::string() : net::Redacted(secret).shown();
}

uint64_t Veil::shown_group(uint64_t number) const {
  if (revealed_) return number;
  const std::string hash = hidden(std::to_string(number));
  uint64_t value = 0;
  std::from_chars(hash.data() + 1, hash.data() + hash.size(), value, 16);
  return value;
}

void fill_process(v1::DebugProcess& out) {
  out.set_pid(static_cast<uint32_t>(::getpid()));
  std::ifstream memory("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  if (memory >> total >> resident)
    out.set_resident_bytes(resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  std::error_code ignored;
  uint32_t open = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", ignored), end; !ignored && it != end;
       it.increment(ignored))
    ++open;
  out.set_open_files(open);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  out.set_cpu_seconds(static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                      static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

void veil_node(v1::Snapshot& snapshot, const Veil& veil) {
  for (v1::SnapshotPeer& peer : *snapshot.mutable_peers()) {
    peer.set_remote_address(veil.shown(peer.remote_address()));
    for (v1::PeerSlot& slot : *peer.mutable_view()->mutable_slots())
      if (slot.has_speaker_of_group()) slot.set_speaker_of_group(veil.shown_group(slot.speaker_of_group()));
  }
  for (v1::BindSource& source : *snapshot.mutable_sources())
    source.set_group(veil.shown_group(source.group()));
  for (v1::SetGroup& group : *snapshot.mutable_groups()) group.set_group(veil.shown_group(group.group()));
}

void veil_log(v1::PeerLog& log, const Veil& veil) {
  for (v1::PeerLogRow& row : *log.mutable_peers())
    for (v1::PeerLogEntry& entry : *row.mutable_entries())
      if (entry.what().starts_with("address") || entry.what() == "destination")
        entry.set_detail(veil.shown(entry.detail()));
}

std::string to_json(const v1::DebugSnapshot& snapshot) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(snapshot, &text, options).ok()) text = "{}";
  return text;
}

}  // namespace huitang::api
