#include "api/settings.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "core/address.h"

namespace huitang::api {
namespace {

std::string error_of(std::string_view toml) {
  const core::Result<Settings, SettingsError> result = parse_settings(toml, "huitang.toml");
  return result ? std::string() : result.error().text;
}

TEST(Settings, takes_every_kind_of_value) {
  const core::Result<Settings, SettingsError> result = parse_settings(R"([server]
data = "/srv/huitang"
https_port = 443
[media]
spawn = false
[demo]
bots = 7
)",
                                                                      "huitang.toml");
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->data, "/srv/huitang");
  EXPECT_EQ(result->https_port, 443u);
  EXPECT_FALSE(result->spawn_media);
  EXPECT_EQ(result->demo_bots, 7u);
}

TEST(Settings, names_the_line_of_a_stray_letter_beyond_ascii_and_takes_them_in_quotes_and_comments) {
  EXPECT_NE(error_of("[media]\nudp_port = \u0411"
                     "41\n")
                .find("huitang.toml:2"),
            std::string::npos);
  EXPECT_NE(error_of("[server]\nhttps_port = 8443\uff0c\n").find("huitang.toml:2"), std::string::npos);
  EXPECT_NE(error_of("[server]\n\n\u3000https_port = 8443\n").find("huitang.toml:3"), std::string::npos);
  EXPECT_EQ(
      error_of(
          "\ufeff# \u4f1a\u5802 'it's\n[server]\ndata = \"/srv/\u4f1a\u5802\\\"\u4f1a\" # \u7aef\u53e3\n"),
      "");
  EXPECT_EQ(error_of("[server]\ndata = '''/srv/\u4f1a'\u5802'''\n"), "");
  EXPECT_EQ(error_of("[server]\ndata = '/srv/\\'\n"), "");
}

TEST(Settings, leaves_defaults_where_the_file_is_silent) {
  const core::Result<Settings, SettingsError> result = parse_settings("", "huitang.toml");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->https_port, Settings().https_port);
}

TEST(Settings, names_file_line_and_what_is_allowed) {
  EXPECT_EQ(error_of("[server]\nhttps_port = 70000\n"),
            "huitang.toml:2: `server.https_port` is 70000 but must be a whole number from 0 to 65535 "
            "(TCP port of pages and signaling; 0 takes a free one)");
  EXPECT_TRUE(error_of("[server]\n\nhttps_port = \"443\"\n")
                  .starts_with("huitang.toml:3: `server.https_port` needs"));
  EXPECT_TRUE(error_of("[media]\nspawn = 1\n").find("needs true or false") != std::string::npos);
  EXPECT_TRUE(error_of("[server]\ndata = \"\"\n").find("must not be empty") != std::string::npos);
}

TEST(Settings, refuses_unknown_keys_and_tables_and_says_which_there_are) {
  EXPECT_TRUE(error_of("[server]\nport = 1\n").find("[server] knows: data, bind_address, https_port") !=
              std::string::npos);
  EXPECT_TRUE(error_of("x = 1\n").find("there are: [server], [tls], [media]") != std::string::npos);
  EXPECT_TRUE(error_of("[servers]\n").starts_with("huitang.toml:1: `servers` is not a table"));
}

TEST(Settings, places_syntax_errors) {
  EXPECT_TRUE(error_of("[server]\ndata = \n").starts_with("huitang.toml:2: "));
}

TEST(Settings, refuses_what_does_not_go_together) {
  Settings settings;
  settings.tls_cert = "a.pem";
  EXPECT_FALSE(check_settings(settings));
  settings = {};
  settings.redirect_port = settings.https_port;
  EXPECT_FALSE(check_settings(settings));
  settings = {};
  settings.public_address = "no such host!";
  EXPECT_FALSE(check_settings(settings));
  settings.public_address = "meet.county.example";
  EXPECT_TRUE(check_settings(settings));
  settings.log_level = "loud";
  EXPECT_FALSE(check_settings(settings));
}

TEST(Settings, finds_an_address_of_this_machine) { EXPECT_TRUE(core::parse_ip(find_own_address())); }

TEST(Settings, are_all_in_both_guides) {
  for (const char* file : {"docs/guide/configuration.md", "docs/guide/configuration.zh-CN.md"}) {
    std::ifstream in(file);
    const std::string guide{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ASSERT_FALSE(guide.empty()) << file;
    for (const SettingRow& row : setting_rows()) {
      const std::string name = "`" + std::string(row.table) + "." + std::string(row.key) + "`";
      EXPECT_NE(guide.find(name), std::string::npos) << file << " lacks " << name;
    }
  }
}

}  // namespace
}  // namespace huitang::api
