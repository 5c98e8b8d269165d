// Sequences of signaling messages, valid and broken, from several sockets to a host with a media node that pretends;
// between them sockets are lost, nodes and the host itself restart, the disk fills up, and time passes. After each step
// the host is consistent, and what it said is JSON of the schema (the harness parses it).
//
// Input: steps of one opcode byte. Opcodes with a text take the bytes up to the next newline.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "api/host_harness.h"
#include "core/check.h"
#include "net/log.h"

namespace {

using huitang::api::CreatedConference;
using huitang::api::HostHarness;
using huitang::api::SocketId;
using huitang::core::Duration;

class Run {
 public:
  Run(const uint8_t* data, size_t size) : at_(data), end_(data + size), room_(h_.create()) {}

  void steps() {
    for (int i = 0; i < 200 && at_ != end_; ++i) {
      step(*at_++);
      HUITANG_CHECK(h_.host->is_consistent());
    }
  }

 private:
  SocketId socket() {
    const size_t index = at_ == end_ ? 0 : *at_++;
    return sockets_.empty() ? SocketId(1) : sockets_[index % sockets_.size()];
  }
  std::string text() {
    std::string line;
    while (at_ != end_ && *at_ != '\n') line.push_back(static_cast<char>(*at_++));
    if (at_ != end_) ++at_;
    return line;
  }
  void add(SocketId socket) {
    if (sockets_.size() < 12) sockets_.push_back(socket);
  }
  void step(uint8_t opcode) {
    switch (opcode % 16) {
      case 0: return add(h_.hello());
      case 1: return add(h_.open());
      case 2: return h_.offer(socket());
      case 3: h_.join(socket(), room_.number, "n", HostHarness::invite_of(room_)); return;
      case 4: h_.join(socket(), room_.number, "m"); return;
      case 5: return command(R"("muteOther":{"participantId":"p)" + digit() + "\"}");
      case 6: return command(R"("remove":{"participantId":"p)" + digit() + "\"}");
      case 7: return command(R"("sendChat":{"text":"t","toParticipantId":"p)" + digit() + "\"}");
      case 8: return command("\"" + std::string(kOps[at_ == end_ ? 0 : *at_++ % std::size(kOps)]) + "\":{}");
      case 9: return h_.lose(socket());
      case 10: return add(h_.hello(h_.token_of(socket())));
      case 11: return h_.pass(Duration::seconds(at_ == end_ ? 1 : *at_++ % 80));
      case 12: return h_.restart_host();
      case 13: h_.disk_full = !h_.disk_full; return;
      case 14:
        if (h_.node_ready) return h_.lose_node();
        return h_.node_back(at_ != end_ && (*at_++ & 1) != 0);
      default: {
        const SocketId to = socket();
        return h_.say(to, text());
      }
    }
  }
  std::string digit() { return std::to_string(at_ == end_ ? 1 : *at_++ % 9); }
  void command(const std::string& op) {
    const SocketId from = socket();
    h_.say(from, "{\"id\":1,\"command\":{\"commandId\":\"" + digit() + "\"," + op + "}}");
  }

  static constexpr const char* kOps[] = {"setMicrophone", "setCamera", "startShare", "stopShare", "setHand",
                                         "setLock",       "leave",     "end",        "rename"};
  const uint8_t* at_;
  const uint8_t* end_;
  HostHarness h_;
  CreatedConference room_;
  std::vector<SocketId> sockets_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = [] {
    huitang::net::set_log_level(huitang::net::LogLevel::Off);
    return true;
  }();
  if (quiet && size <= 20'000) Run(data, size).steps();
  return 0;
}
