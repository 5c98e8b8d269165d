// `huitang doctor`: looks at this box and says in plain words what is wrong and what to do.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/doctor_trial.h"
#include "app/own_settings.h"
#include "core/address.h"
#include "doctor/probe_machine.h"
#include "doctor/probe_port.h"
#include "doctor/probe_service.h"
#include "net/clock.h"

namespace huitang::app {

namespace {

struct Options {
  BoxFlags box;
  std::string language;
  bool json = false;
  bool no_trial = false;
};

doctor::Language language_of(const Options& o) {
  if (!o.language.empty()) return doctor::language_of(o.language);
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0')
      return doctor::language_of(value);
  return doctor::Language::English;
}

/// "192.0.2.1:20000" → 20000
bool is_media_port(const doctor::MediaAnswer& media, uint32_t port) {
  for (const std::string& address : media.udp_addresses)
    if (address.ends_with(":" + std::to_string(port))) return true;
  return false;
}

class Doctor {
 public:
  explicit Doctor(const api::Settings& settings)
      : settings_(settings),
        serve_pid_(doctor::find_serve(settings.data)),
        target_(doctor::local_target(settings)),
        serve_(doctor::probe_serve(target_)),
        media_(doctor::probe_media(settings.media_socket, HUITANG_VERSION)) {}

  doctor::Findings look(bool with_trial) {
    add(doctor::check_serve(serve_));
    if (serve_.is_reached) add(doctor::check_alarms(serve_));
    add(doctor::check_media(media_.facts));
    look_at_ports();
    look_at_certificate();
    add(doctor::check_clock(doctor::probe_clock(settings_.data)));
    const doctor::FolderFacts folder = doctor::probe_folder(settings_.data);
    add(doctor::check_folder(folder));
    if (folder.exists && folder.may_look) add(doctor::check_disk(doctor::probe_disk(settings_.data)));
    for (doctor::Finding& finding : doctor::check_kernel(doctor::probe_kernel(settings_, serve_pid_)))
      add(std::move(finding));
    add(doctor::check_firewall(doctor::probe_firewall(settings_, media_.facts.workers)));
    if (with_trial) look_at_path();
    return std::move(findings_);
  }

 private:
  void add(doctor::Finding finding) { findings_.push_back(std::move(finding)); }

  void look_at_port(std::string_view id, std::string_view setting, const doctor::PortQuestion& question,
                    bool service_up) {
    doctor::PortFacts facts = doctor::probe_port(question, service_up);
    facts.id = id;
    facts.setting = setting;
    add(doctor::check_port(facts));
  }

  void look_at_ports() {
    const std::string& bind = settings_.bind_address;
    look_at_port("port-https", "server.https_port", {true, bind, settings_.https_port}, serve_.is_reached);
    if (settings_.redirect_port != 0)
      look_at_port("port-redirect", "server.redirect_port", {true, bind, settings_.redirect_port},
                   serve_.is_reached);
    const uint32_t count = doctor::probe_firewall(settings_, media_.facts.workers).udp_count;
    for (uint32_t i = 0; i < count; ++i)
      look_at_port("port-media", "media.udp_port", {false, bind, settings_.udp_port + i},
                   is_media_port(media_, settings_.udp_port + i));
  }

  void look_at_certificate() {
    doctor::CertificateFacts facts = doctor::probe_certificate(settings_);
    if (serve_.is_reached || serve_.is_other) facts.is_served = serve_.is_reached;
    add(doctor::check_certificate(facts, net::wall_now()));
  }

  void look_at_path() {
    if (target_ && serve_.is_reached && serve_.is_ready) return add(doctor::check_path(run_trial(*target_)));
    doctor::PathFacts facts;
    facts.obstacle = "serve is not ready";
    add(doctor::check_path(facts));
  }

  const api::Settings& settings_;
  int serve_pid_;
  std::optional<api::LocalTarget> target_;
  doctor::ServeFacts serve_;
  doctor::MediaAnswer media_;
  doctor::Findings findings_;
};

}  // namespace

int run_doctor(std::span<char* const> args) {
  Options o;
  CLI::App app(
      "Looks at ports, certificate, time, disk, kernel settings, both services and the media path, and says "
      "what to do. Exit code: 0 all well, 1 warnings, 2 errors.",
      "huitang doctor");
  declare(app, o.box);
  app.add_option("--lang", o.language, "zh or en [the environment's]")->check(CLI::IsMember({"zh", "en"}));
  app.add_flag("--json", o.json, "for programs; both languages");
  app.add_flag("--no-trial", o.no_trial, "hold no trial meeting");
  std::vector<std::string> words(args.rbegin(), args.rend());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  use_installed_settings(o.box);
  std::optional<api::Settings> settings = read_settings(o.box, "doctor");
  if (!settings) return 2;
  complete_settings(*settings);
  const doctor::Findings findings = Doctor(*settings).look(!o.no_trial);
  std::fputs((o.json ? to_json(findings) : to_text(findings, language_of(o))).c_str(), stdout);
  return static_cast<int>(worst(findings));
}

}  // namespace huitang::app
