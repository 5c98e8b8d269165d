// Sequences of signaling messages, valid and broken, in and out of order, from several sockets and addresses to a host
// with a media node that pretends; between them sockets are lost, sessions resumed with tokens new and spent, nodes and
// the host itself restart, the disk fills up, and time passes. After each step the host is consistent, and what it said
// is JSON of the schema (the harness parses it). A token whose successor has arrived
// never resumes again, as long as the disk took what there was.
//
// Input: steps of one opcode byte. Opcodes with a text take the bytes up to the next newline.
#include <cstddef>
#include <cstdint>
#include <map>
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
    switch (opcode % 24) {
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
      case 13:
        h_.disk_full = !h_.disk_full;
        was_full_ = true;
        return;
      case 14:
        if (h_.node_ready) return h_.lose_node();
        return h_.node_back(at_ != end_ && (*at_++ & 1) != 0);
      case 15: return resume_with_any();
      case 16: return h_.say(socket(), R"({"id":4,"hello":{"protocol":1}})");
      case 17: return add(open_elsewhere());
      case 18: return set_view();
      case 19: return h_.say(socket(), R"({"id":5,"resync":{}})");
      case 20: {  // two sockets of one session at once
        const SocketId one = socket();
        const std::string token = h_.token_of(one);
        add(h_.hello(token));
        add(h_.hello(token));
        return;
      }
      case 21: h_.join(socket(), "899999999", "n"); return;
      case 22:
        h_.peer_state(h_.node.peers_size() == 0 ? 1 : h_.node.peers(0).peer(),
                      static_cast<huitang::v1::PeerState>(at_ == end_ ? 3 : *at_++ % 6));
        return;
      default: {
        const SocketId to = socket();
        return h_.say(to, text());
      }
    }
  }
  /// Any token that was ever given out, the newest of its session or a spent one.
  void resume_with_any() {
    std::vector<std::string> tokens;
    for (const auto& [socket, messages] : h_.received)
      for (const auto& message : messages)
        if (message.has_welcome()) tokens.push_back(message.welcome().resume_token());
    if (tokens.empty()) return;
    const std::string& token = tokens[(at_ == end_ ? 0 : *at_++) % tokens.size()];
    const SocketId socket = h_.hello(token);
    const auto* welcome = h_.find(socket, huitang::v1::ServerMessage::kWelcome);
    add(socket);
    if (welcome == nullptr || !welcome->welcome().resumed()) return;
    HUITANG_CHECK(uses_[token] == 0 || was_full_);
    // The successor has arrived once its socket speaks: from then on the token is spent.
    h_.say(socket, R"({"id":7,"ping":{"at":"1"}})");
    ++uses_[token];
  }
  SocketId open_elsewhere() {
    return h_.open(huitang::core::IpAddress::v4(10, 0, 1, at_ == end_ ? 1 : *at_++));
  }
  void set_view() {
    std::string slots;
    for (int i = 0; i < 3; ++i)
      slots += (i == 0 ? "" : ",") + std::string(R"({"use":")") +
               (i == 2 ? "LINE_USE_SHARE_SLOT" : "LINE_USE_VIDEO_SLOT") + R"(","index":)" + digit() +
               R"(,"source":)" + std::to_string(16 + (at_ == end_ ? 1 : *at_++ % 64)) + "}";
    h_.say(socket(), R"({"id":6,"setView":{"slots":[)" + slots + "]}}");
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
  std::map<std::string, int> uses_;
  bool was_full_ = false;
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
