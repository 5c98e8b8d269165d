// Runs bots: real sockets, one thread, one loop for any number of them. Used by `huitang bot` and `huitang
// serve --demo` (as its own process).
#pragma once

#include <string>
#include <vector>

#include "bot/participant.h"
#include "bot/signaling_socket.h"

namespace huitang::bot {

struct BotRunConfig {
  SignalingUrl url;
  SignalingTrust trust;
  std::vector<ParticipantConfig> bots;
  core::Duration join_interval = core::Duration::millis(50);  ///< between the bots' first connections
  core::Duration duration = core::Duration::max();            ///< then all leave
  core::Duration give_up = core::Duration::max();             ///< ends when the server is away for so long
  bool prints_json = false;                                   ///< events as JSON lines on standard output
};

/// "https://HOST[:PORT]/j/NUMBER[#invite=TOKEN]".
struct ConferenceLink {
  SignalingUrl url;
  std::string number;
  std::string invite;
};
std::optional<ConferenceLink> parse_conference_link(std::string_view link);

/// Until all bots are out, SIGTERM or SIGINT (then they leave in order), or the duration is over. Exit code:
/// 0 when every bot got in, 1 otherwise.
int run_bots(const BotRunConfig& config);

}  // namespace huitang::bot
