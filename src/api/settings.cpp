#include "api/settings.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <toml++/toml.h>

#include <array>
#include <fstream>
#include <iterator>
#include <set>

#include "core/address.h"

namespace huitang::api {
namespace {

using S = Settings;
constexpr std::array kRows = {
    SettingRow{"server", "data", &S::data, 0, 0, "folder for keys, certificates and the journal"},
    SettingRow{"server", "bind_address", &S::bind_address, 0, 0, "address that the HTTPS server listens on"},
    SettingRow{"server", "https_port", &S::https_port, 0, 65535,
               "TCP port of pages and signaling; 0 takes a free one"},
    SettingRow{"server", "redirect_port", &S::redirect_port, 0, 65535,
               "plain HTTP port that only points to HTTPS; 0 for none"},
    SettingRow{"server", "public_address", &S::public_address, 0, 0,
               "IP address or name under which browsers reach this machine"},
    SettingRow{"tls", "cert", &S::tls_cert, 0, 0,
               "the office's own certificate chain (PEM) instead of the private CA"},
    SettingRow{"tls", "key", &S::tls_key, 0, 0, "private key to tls.cert (PEM)"},
    SettingRow{"media", "udp_port", &S::udp_port, 1, 65535,
               "UDP port of the first media worker; others follow it"},
    SettingRow{"media", "workers", &S::media_workers, 0, 64, "media worker threads; 0 for one a core"},
    SettingRow{"media", "load_limit_percent", &S::load_limit_percent, 1, 100,
               "share of its core at which a media worker takes no new participants"},
    SettingRow{"media", "spawn", &S::spawn_media, 0, 0, "start the media process when none answers"},
    SettingRow{"media", "socket", &S::media_socket, 0, 0, "Unix socket of the media process"},
    SettingRow{"limits", "participants", &S::participants, 2, 10000, "participants of one conference"},
    SettingRow{"limits", "conferences", &S::conferences, 1, 100000, "live conferences on this box"},
    SettingRow{"limits", "media_peers", &S::media_peers, 1, 4000,
               "participants' connections of one media worker"},
    SettingRow{"limits", "connections", &S::connections, 16, 100000, "open TCP connections"},
    SettingRow{"limits", "connections_per_address", &S::connections_per_address, 4, 100000,
               "open TCP connections from one address"},
    SettingRow{"conference", "empty_minutes", &S::empty_minutes, 1, 10080,
               "a conference that nobody is in ends after this time"},
    SettingRow{"conference", "may_unmute_self", &S::may_unmute_self, 0, 0,
               "whoever the chair muted may open the microphone by himself"},
    SettingRow{"demo", "enabled", &S::demo, 0, 0,
               "anyone may start a conference; one with bots runs from the start"},
    SettingRow{"demo", "bots", &S::demo_bots, 0, 50, "bots in the demo conference"},
    SettingRow{"log", "level", &S::log_level, 0, 0, "error, warn, info, debug or trace"},
};

std::string at(std::string_view file, const toml::source_region& where) {
  return std::string(file) + ":" + std::to_string(where.begin.line) + ": ";
}

std::string quoted(std::string_view table, std::string_view key) {
  return "`" + std::string(table) + "." + std::string(key) + "`";
}

const SettingRow* find_row(std::string_view table, std::string_view key) {
  for (const SettingRow& row : kRows)
    if (row.table == table && row.key == key) return &row;
  return nullptr;
}

bool is_known_table(std::string_view name) {
  for (const SettingRow& row : kRows)
    if (row.table == name) return true;
  return false;
}

std::string known_tables() {
  std::string text;
  std::string_view last;
  for (const SettingRow& row : kRows) {
    if (row.table == last) continue;
    last = row.table;
    text += (text.empty() ? "[" : ", [") + std::string(row.table) + "]";
  }
  return text;
}

std::string known_keys(std::string_view table) {
  std::string text;
  for (const SettingRow& row : kRows)
    if (row.table == table) text += (text.empty() ? "" : ", ") + std::string(row.key);
  return text;
}

/// Empty when the value was taken; otherwise what is wrong with it.
struct Assign {
  Settings& settings;
  const SettingRow& row;
  const toml::node& node;

  std::string operator()(SettingRow::Text member) const {
    const std::optional<std::string> value = node.value_exact<std::string>();
    if (!value) return "needs text in quotation marks";
    if (value->empty()) return "must not be empty; leave the line out for the default";
    settings.*member = *value;
    return {};
  }
  std::string operator()(SettingRow::Number member) const {
    const std::optional<int64_t> value = node.value_exact<int64_t>();
    const std::string range =
        "a whole number from " + std::to_string(row.min) + " to " + std::to_string(row.max);
    if (!value) return "needs " + range;
    if (*value < row.min || *value > row.max) return "is " + std::to_string(*value) + " but must be " + range;
    settings.*member = static_cast<uint32_t>(*value);
    return {};
  }
  std::string operator()(SettingRow::Switch member) const {
    const std::optional<bool> value = node.value_exact<bool>();
    if (!value) return "needs true or false";
    settings.*member = *value;
    return {};
  }
};

std::string take_table(Settings& settings, std::string_view file, std::string_view name,
                       const toml::table& table) {
  for (const auto& [key, node] : table) {
    const SettingRow* row = find_row(name, key.str());
    if (row == nullptr)
      return at(file, key.source()) + quoted(name, key.str()) + " is not a setting; [" + std::string(name) +
             "] knows: " + known_keys(name);
    const std::string wrong = std::visit(Assign{settings, *row, node}, row->member);
    if (!wrong.empty())
      return at(file, node.source()) + quoted(name, key.str()) + " " + wrong + " (" + std::string(row->help) +
             ")";
  }
  return {};
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (const char c : text) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!good) return false;
  }
  return text.front() != '-' && text.front() != '.';
}

}  // namespace

std::span<const SettingRow> setting_rows() { return kRows; }

namespace {

/// The line of the first control character or byte beyond ASCII outside quotes and comments, 0 if there is none. TOML has
/// no place for them there (a Chinese comma, an ideographic space), and toml++ 3.3 runs into undefined behaviour or a
/// failed assertion at some.
size_t line_of_stray_letter(std::string_view toml) {
  size_t line = 1;
  char quote = 0;        // " or ', while inside
  bool is_long = false;  // three of them
  bool in_comment = false;
  for (size_t i = 0; i < toml.size(); ++i) {
    const char c = toml[i];
    const bool tripled = toml.substr(i, 3) == std::string(3, c);
    if (c == '\n') {
      ++line;
      in_comment = false;
      if (!is_long) quote = 0;
    } else if (in_comment) {
      continue;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') {
        if (i + 1 < toml.size() && toml[i + 1] != '\n') ++i;
      } else if (c == quote && (!is_long || tripled)) {
        i += is_long ? 2 : 0;
        quote = 0;
        is_long = false;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      is_long = tripled;
      i += is_long ? 2 : 0;
    } else if (c == '#') {
      in_comment = true;
    } else if (c != '\t' && c != '\r' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      return line;
    } else if (static_cast<unsigned char>(c) >= 0x80 && !(i < 3 && toml.starts_with("\xEF\xBB\xBF"))) {
      return line;
    }
  }
  return 0;
}

}  // namespace

core::Result<Settings, SettingsError> parse_settings(std::string_view toml, std::string_view file_name,
                                                     Settings base) {
  toml::table root;
  try {
    if (const size_t line = line_of_stray_letter(toml); line != 0)
      return core::err(SettingsError{
          std::string(file_name) + ":" + std::to_string(line) +
          ": a control character or one that is not ASCII stands outside quotes (a Chinese comma, quotation "
          "mark or space?); write it inside \"…\" or after #"});
    root = toml::parse(toml, file_name);
  } catch (const toml::parse_error& error) {
    return core::err(SettingsError{at(file_name, error.source()) + std::string(error.description())});
  }
  for (const auto& [key, node] : root) {
    if (!is_known_table(key.str()) || !node.is_table())
      return core::err(SettingsError{at(file_name, key.source()) + "`" + std::string(key.str()) +
                                     "` is not a table of settings; there are: " + known_tables()});
    std::string wrong = take_table(base, file_name, key.str(), *node.as_table());
    if (!wrong.empty()) return core::err(SettingsError{std::move(wrong)});
  }
  return base;
}

core::Result<Settings, SettingsError> load_settings(const std::string& file, Settings base) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return core::err(SettingsError{file + ": cannot be read; does it exist, and may this user read it?"});
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return parse_settings(text, file, std::move(base));
}

core::Result<void, SettingsError> check_settings(const Settings& settings) {
  auto wrong = [](std::string text) { return core::err(SettingsError{std::move(text)}); };
  if (settings.tls_cert.empty() != settings.tls_key.empty())
    return wrong("tls.cert and tls.key belong together: set both, or none to use the private CA");
  if (settings.redirect_port != 0 && settings.redirect_port == settings.https_port)
    return wrong("server.redirect_port and server.https_port are the same port");
  if (!core::parse_ip(settings.bind_address))
    return wrong("server.bind_address `" + settings.bind_address + "` is not an IP address");
  if (!settings.public_address.empty() && !core::parse_ip(settings.public_address) &&
      !is_host_name(settings.public_address))
    return wrong("server.public_address `" + settings.public_address +
                 "` is neither an IP address nor a host name");
  static const std::set<std::string_view> levels = {"error", "warn", "info", "debug", "trace"};
  if (!levels.contains(settings.log_level))
    return wrong("log.level `" + settings.log_level + "` is none of error, warn, info, debug, trace");
  return {};
}

std::string find_own_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return "127.0.0.1";
  std::string found = "127.0.0.1";
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_LOOPBACK) != 0 || (entry->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN];
    const void* address = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    if (inet_ntop(AF_INET, address, text, sizeof text) == nullptr) continue;
    found = text;
    break;
  }
  freeifaddrs(list);
  return found;
}

}  // namespace huitang::api
