// `huitang bot`: native participants with test pictures and tones.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "app/command.h"
#include "bot/bot_runner.h"

namespace huitang::app {

namespace {

struct Options {
  std::string url;
  std::string name = "Bot";
  unsigned mark = 1;
  double tone = 440;
  unsigned count = 1;
  double duration = 0;
  double give_up = 0;
  double video_delay_ms = 0;
  std::vector<double> listen;
  bool clap = false;
  bool red = false;
  bool receive_only = false;
  bool insecure = false;
  bool json = false;
  bool watch = false;
  bool end = false;
  uint16_t via = 0;
  std::string ca;
};

// Bots of one process differ by this much, far enough for a listener to tell them apart.
constexpr double kToneStep = 100;
constexpr unsigned kMaxMark = 1023;

void declare(CLI::App& app, Options& o) {
  app.add_option("--url", o.url, "the conference's link, https://HOST/j/NUMBER")->required();
  app.add_option("--name", o.name, "shown name; with --count, a number is added");
  app.add_option("--mark", o.mark, "id in the picture, 1..1023; with --count, it counts up")
      ->check(CLI::Range(1U, kMaxMark));
  app.add_option("--tone", o.tone, "hertz; with --count, 100 more for each")->check(CLI::Range(50.0, 8000.0));
  app.add_option("--count", o.count, "this many bots")->check(CLI::Range(1U, 1000U));
  app.add_option("--duration", o.duration, "seconds, then leave");
  app.add_option("--give-up", o.give_up, "end when the server is away for so many seconds (default: never)");
  app.add_option("--video-delay", o.video_delay_ms,
                 "milliseconds that pictures leave later than their sound");
  app.add_option("--listen", o.listen, "frequencies to report (default: 200 to 2400 by 50)")->delimiter(',');
  app.add_flag("--clap", o.clap, "lamp and tone for 100 ms of each second");
  app.add_flag("--red", o.red, "send redundant audio (RFC 2198)");
  app.add_flag("--receive-only", o.receive_only, "send nothing");
  app.add_flag("--watch", o.watch, "decode what the others send (--json does so too)");
  app.add_flag("--end", o.end, "end the conference when leaving; needs the chair's link");
  app.add_option("--via", o.via, "send media to this UDP port of 127.0.0.1, a relay, instead of to the node");
  app.add_flag("--json", o.json, "print events as JSON lines");
  auto* insecure = app.add_flag("--insecure", o.insecure, "accept any certificate");
  app.add_option("--ca", o.ca, "trust the authorities of this PEM file")->excludes(insecure);
}

core::Duration local_offset() {
  const std::time_t t = std::time(nullptr);
  std::tm local{};
  localtime_r(&t, &local);
  return core::Duration::seconds(local.tm_gmtoff);
}

bot::ParticipantConfig participant(const Options& o, const bot::ConferenceLink& link, unsigned i) {
  bot::ParticipantConfig p{
      .number = link.number, .invite = link.invite, .watches = o.watch || o.json, .ends_conference = o.end};
  p.media.name = o.count == 1 ? o.name : o.name + " " + std::to_string(i + 1);
  p.media.mark = static_cast<uint16_t>((o.mark - 1 + i) % kMaxMark + 1);
  p.media.tone_hertz = o.tone + kToneStep * i;
  p.media.receive_only = o.receive_only;
  p.media.has_clap = o.clap;
  p.media.sends_red = o.red;
  p.media.video_delay = core::Duration::micros(static_cast<int64_t>(o.video_delay_ms * 1000));
  p.media.clock_offset = local_offset();
  if (o.via != 0) p.media.via = core::SocketAddress{core::IpAddress::v4(127, 0, 0, 1), o.via};
  p.media.looks = p.watches;
  if (p.watches) p.media.tone_candidates = o.listen;
  return p;
}

}  // namespace

int run_bot(std::span<char* const> args) {
  Options o;
  CLI::App app("A native participant with test pictures and a tone.", "huitang bot");
  declare(app, o);
  std::vector<std::string> words(args.begin(), args.end());
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  const auto link = bot::parse_conference_link(o.url);
  if (!link) {
    std::fputs("huitang bot: --url is not a conference's link (https://HOST/j/NUMBER)\n", stderr);
    return 2;
  }
  if (o.listen.empty()) {
    for (double hz = 200; hz <= 2400; hz += 50) o.listen.push_back(hz);
  }
  bot::BotRunConfig run{
      .url = link->url, .trust = {.accepts_anyone = o.insecure, .ca_file = o.ca}, .prints_json = o.json};
  if (o.duration > 0) run.duration = core::Duration::seconds_f(o.duration);
  if (o.give_up > 0) run.give_up = core::Duration::seconds_f(o.give_up);
  for (unsigned i = 0; i < o.count; ++i) run.bots.push_back(participant(o, *link, i));
  return bot::run_bots(run);
}

}  // namespace huitang::app
