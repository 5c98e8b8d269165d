// Everything that can be set, in one table: the TOML file, the error texts and docs/guide/configuration.md
// follow it. Command-line flags win over the file, the file over the defaults.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"

namespace huitang::api {

struct Settings {
  std::string data = "huitang-data";
  std::string bind_address = "0.0.0.0";
  uint32_t https_port = 8443;
  uint32_t redirect_port = 0;  ///< 0: no plain HTTP at all
  std::string public_address;  ///< empty: the first address of this machine that is not loopback

  std::string tls_cert;  ///< empty: the private CA
  std::string tls_key;

  uint32_t udp_port = 20000;
  uint32_t media_workers = 0;  ///< 0: one for each core
  uint32_t load_limit_percent = 80;
  bool spawn_media = true;
  std::string media_socket;  ///< empty: DATA/media.sock

  uint32_t participants = 500;
  uint32_t conferences = 1000;
  uint32_t media_peers = 4000;  ///< of one media worker
  uint32_t connections = 4000;
  uint32_t connections_per_address = 200;
  uint32_t empty_minutes = 30;
  bool may_unmute_self = true;

  bool demo = false;
  uint32_t demo_bots = 3;

  std::string log_level = "info";
};

struct SettingRow {
  using Text = std::string Settings::*;
  using Number = uint32_t Settings::*;
  using Switch = bool Settings::*;
  std::string_view table;  ///< of the TOML file
  std::string_view key;
  std::variant<Text, Number, Switch> member;
  uint32_t min = 0;  ///< numbers only
  uint32_t max = 0;
  std::string_view help;
};
std::span<const SettingRow> setting_rows();

/// What is wrong in the file, in the words of a caretaker: "huitang.toml:3: …".
struct SettingsError {
  std::string text;
};

/// Reads the file over the defaults in `base`. Unknown tables and keys are errors.
core::Result<Settings, SettingsError> load_settings(const std::string& file, Settings base = {});
core::Result<Settings, SettingsError> parse_settings(std::string_view toml, std::string_view file_name,
                                                     Settings base = {});
/// What no single key can be blamed for: tls.cert without tls.key, two services on one port, an address that
/// is none.
core::Result<void, SettingsError> check_settings(const Settings& settings);

/// First IPv4 address of this machine that is not loopback; "127.0.0.1" when there is none.
std::string find_own_address();

}  // namespace huitang::api
