#include "app/own_settings.h"

#include <netdb.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/address.h"

namespace huitang::app {

namespace {

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

/// Addresses of a host name; none when nobody knows it. Blocks; for the start of a process.
std::vector<std::string> resolve(const std::string& name) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &wanted, &list) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<std::string> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0 &&
        core::parse_ip(text.data()))
      found.emplace_back(text.data());
  }
  return found;
}

}  // namespace

void complete_settings(api::Settings& settings) {
  if (settings.public_address.empty()) settings.public_address = api::find_own_address();
  if (settings.media_socket.empty()) settings.media_socket = settings.data + "/media.sock";
}

void declare(CLI::App& app, BoxFlags& flags) {
  app.add_option("--config", flags.config, "TOML file (docs/guide/configuration.md)");
  app.add_option("--data", flags.data, "folder for keys, certificates and the journal [huitang-data]");
  app.add_option("--https-port", flags.https_port, "TCP port of pages and signaling [8443]");
  app.add_option("--udp-port", flags.udp_port, "UDP port of the first media worker [20000]");
  app.add_option("--public-address", flags.public_address,
                 "IP address or name under which browsers reach this machine [its first address]");
}

void use_installed_settings(BoxFlags& flags) {
  constexpr const char* kInstalled = "/etc/huitang/huitang.toml";
  std::error_code ignored;
  if (flags.config.empty() && !flags.data && std::filesystem::exists(kInstalled, ignored))
    flags.config = kInstalled;
}

std::optional<api::Settings> read_settings(const BoxFlags& flags, const char* command) {
  const auto refuse = [command](const api::SettingsError& error) {
    std::fprintf(stderr, "huitang %s: %s\n", command, error.text.c_str());
    return std::nullopt;
  };
  api::Settings settings;
  if (!flags.config.empty()) {
    core::Result<api::Settings, api::SettingsError> loaded = api::load_settings(flags.config);
    if (!loaded) return refuse(loaded.error());
    settings = std::move(*loaded);
  }
  if (flags.data) settings.data = *flags.data;
  if (flags.public_address) settings.public_address = *flags.public_address;
  if (flags.https_port) settings.https_port = *flags.https_port;
  if (flags.udp_port) settings.udp_port = *flags.udp_port;
  if (core::Result<void, api::SettingsError> good = api::check_settings(settings); !good)
    return refuse(good.error());
  return settings;
}

std::vector<std::string> media_addresses(const api::Settings& settings) {
  std::vector<std::string> found;
  if (core::parse_ip(settings.public_address))
    found.push_back(settings.public_address);
  else
    found = resolve(settings.public_address);
  const std::string own = api::find_own_address();
  const bool is_hidden = found.empty() || (found.size() == 1 && is_loopback(found.front()));
  if (is_hidden && (found.empty() || found.front() != own)) found.push_back(own);
  return found;
}

}  // namespace huitang::app
