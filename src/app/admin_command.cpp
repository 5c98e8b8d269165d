// `huitang admin`: what the administrator asks of the serve that runs on this machine.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "api/local_access.h"
#include "app/command.h"
#include "app/own_settings.h"
#include "doctor/probe_service.h"

namespace huitang::app {

namespace {

constexpr core::Duration kPatience = core::Duration::seconds(15);

int complain(const char* zh, const char* en) {
  std::fprintf(stderr, "huitang admin: %s\nhuitang admin: %s\n", zh, en);
  return 1;
}

std::string origin_of(const api::Settings& settings) {
  const std::string& address = settings.public_address;
  const std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return "https://" + host + (settings.https_port == 443 ? "" : ":" + std::to_string(settings.https_port));
}

int print_snapshot(const api::LocalTarget& target, bool reveal) {
  const auto reply =
      api::ask_local(target, reveal ? "/api/debug.json?reveal=1" : "/api/debug.json", {}, kPatience);
  if (!reply)
    return complain("网页服务没有回答；请运行 huitang doctor", "serve does not answer; run huitang doctor");
  if (reply->status != 200)
    return complain("网页服务拒绝了；请重启 huitang-serve 后再试",
                    "serve refused; restart huitang-serve and try again");
  std::fputs(reply->body.c_str(), stdout);
  return 0;
}

}  // namespace

int run_admin(std::span<char* const> args) {
  BoxFlags box;
  bool reveal = false;
  CLI::App app("Asks the serve on this machine; for root and the user it runs as.", "huitang admin");
  app.require_subcommand(1);
  declare(app, box);
  app.fallthrough();
  CLI::App* link = app.add_subcommand(
      "link", "a link that signs a browser in as administrator; good until serve is started again");
  CLI::App* snapshot = app.add_subcommand(
      "snapshot", "the whole state of serve and media as JSON, names, tokens and addresses redacted");
  snapshot->add_flag("--reveal", reveal, "with names and addresses; tokens stay hidden");
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  use_installed_settings(box);
  std::optional<api::Settings> settings = read_settings(box, "admin");
  if (!settings) return 2;
  complete_settings(*settings);
  const std::optional<api::LocalTarget> target = doctor::local_target(*settings);
  if (!target || target->token.empty())
    return complain("读不到数据目录里的 local.token：huitang-serve 在运行吗？要用 sudo 吗？",
                    "local.token in the data folder cannot be read: does huitang-serve run, is sudo needed?");
  if (link->parsed()) {
    std::printf("%s/admin-link#%s\n", origin_of(*settings).c_str(), target->token.c_str());
    return 0;
  }
  return print_snapshot(*target, reveal);
}

}  // namespace huitang::app
