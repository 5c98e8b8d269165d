// `huitang`: one executable, one table of subcommands.
#include <cstdio>
#include <cstring>
#include <iterator>

#include "app/command.h"

namespace huitang::app {
namespace {

struct Row {
  const char* name;
  CommandFunction run;
  const char* help;
};

constexpr Row kCommands[] = {
    {"serve", run_serve, "pages, signaling and conferences of one box"},
    {"media", run_media, "the media process: forwards sound and pictures"},
    {"doctor", run_doctor, "looks for what is wrong with this box, and says what to do"},
    {"admin", run_admin, "the administrator's link, and a snapshot of the state of both processes"},
    {"bot", run_bot, "native participants with test pictures and tones"},
    {"upgrade", run_upgrade, "another executable takes over the media of running meetings"},
    {"version", run_version, "print the version"},
};

int usage(std::FILE* out) {
  std::fputs("usage: huitang COMMAND [OPTIONS]\n\n", out);
  for (const Row& row : kCommands) std::fprintf(out, "  %-10s %s\n", row.name, row.help);
  std::fputs("\n`huitang COMMAND --help` tells the options of a command.\n", out);
  return out == stdout ? 0 : 2;
}

int dispatch(std::span<char* const> args) {
  if (args.size() < 2) return usage(stderr);
  for (const Row& row : kCommands)
    if (std::strcmp(args[1], row.name) == 0) return row.run(args.subspan(2));
  if (std::strcmp(args[1], "--help") == 0 || std::strcmp(args[1], "-h") == 0) return usage(stdout);
  if (std::strcmp(args[1], "--version") == 0) return run_version({});
  std::fprintf(stderr, "huitang: unknown command `%s`\n\n", args[1]);
  return usage(stderr);
}

}  // namespace

int run_version(std::span<char* const>) {
  std::puts("huitang " HUITANG_VERSION);
  return 0;
}

}  // namespace huitang::app

int main(int argc, char** argv) { return huitang::app::dispatch({argv, static_cast<size_t>(argc)}); }
