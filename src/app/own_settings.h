// Settings as the processes of one box share them: what the file leaves open is filled in from this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/settings.h"

namespace CLI {
class App;
}

namespace huitang::app {

/// What the command line says of the box; it wins over the file.
struct BoxFlags {
  std::string config;
  std::optional<std::string> data, public_address;
  std::optional<uint32_t> https_port, udp_port;
};
void declare(CLI::App& app, BoxFlags& flags);
/// For commands beside serve: where the file is not named, nor the folder, the installed one is meant.
void use_installed_settings(BoxFlags& flags);
/// The file with the flags over it, checked but not completed; absent after the reason was printed for
/// `command`.
std::optional<api::Settings> read_settings(const BoxFlags& flags, const char* command);

/// The public address and the media socket, where not set.
void complete_settings(api::Settings& settings);

/// IP addresses that clients are told for media: the public one, or what its name means on this machine; for a
/// box known only as loopback its first real address as well, since Firefox pairs none of its addresses with a
/// loopback one (docs/browsers.md).
std::vector<std::string> media_addresses(const api::Settings& settings);

}  // namespace huitang::app
