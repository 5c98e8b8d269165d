// Each check: what makes it warn or fail, one fact at a time, from a state in which all is well.
#include <gtest/gtest.h>

#include "doctor/certificate_check.h"
#include "doctor/machine_check.h"
#include "doctor/port_check.h"
#include "doctor/service_check.h"

namespace huitang::doctor {
namespace {

using core::Duration;
using core::WallTime;

constexpr int64_t kDay = 24LL * 3600 * 1000;
const WallTime kNow = WallTime::from_unix_millis(1'800'000'000'000);
WallTime in_days(int64_t days) { return WallTime::from_unix_millis(kNow.to_unix_millis() + days * kDay); }

/// Whatever is wrong must come with what to do, in both languages; what is well needs no advice.
void expect(const Finding& finding, Grade grade, const std::string& in_english) {
  EXPECT_EQ(finding.grade, grade) << finding.what.en;
  EXPECT_NE(finding.what.en.find(in_english), std::string::npos) << finding.what.en;
  EXPECT_FALSE(finding.what.zh.empty());
  if (grade != Grade::Ok) {
    EXPECT_FALSE(finding.advice.zh.empty()) << finding.what.en;
    EXPECT_FALSE(finding.advice.en.empty()) << finding.what.en;
  }
}

PortFacts port(PortUse use, bool service_up) {
  return {"port-https", "server.https_port", true, 443, use, {}, service_up};
}

TEST(PortCheck, a_port_is_well_when_ours_holds_it_or_nobody_does_and_ours_does_not_run) {
  expect(check_port(port(PortUse::Ours, true)), Grade::Ok, "held by Huitang");
  expect(check_port(port(PortUse::Free, false)), Grade::Ok, "free");
}

TEST(PortCheck, a_port_that_another_program_holds_is_an_error_that_names_it) {
  PortFacts facts = port(PortUse::Taken, false);
  expect(check_port(facts), Grade::Error, "another program");
  facts.holder = "nginx (1234)";
  expect(check_port(facts), Grade::Error, "nginx (1234)");
  EXPECT_NE(check_port(facts).advice.en.find("server.https_port"), std::string::npos);
}

TEST(PortCheck, a_port_that_nobody_holds_while_the_service_runs_means_old_settings) {
  expect(check_port(port(PortUse::Free, true)), Grade::Error, "nobody listens");
  expect(check_port(port(PortUse::Forbidden, false)), Grade::Warning, "cannot be tested");
}

CertificateFacts good_certificate() {
  CertificateFacts facts;
  facts.file = "/tls/server.crt";
  facts.not_before = in_days(-10);
  facts.not_after = in_days(200);
  facts.public_address = "10.0.0.5";
  return facts;
}

TEST(CertificateCheck, says_how_long_a_good_one_lasts_and_warns_before_its_end) {
  CertificateFacts facts = good_certificate();
  expect(check_certificate(facts, kNow), Grade::Ok, "200 more days");
  facts.not_after = in_days(20);
  expect(check_certificate(facts, kNow), Grade::Warning, "20 days");
}

TEST(CertificateCheck, a_certificate_out_of_its_term_is_an_error) {
  CertificateFacts facts = good_certificate();
  expect(check_certificate(facts, in_days(201)), Grade::Error, "expired");
  expect(check_certificate(facts, in_days(-11)), Grade::Error, "not valid yet");
}

TEST(CertificateCheck, a_certificate_that_does_not_fit_is_an_error) {
  CertificateFacts facts = good_certificate();
  facts.names_public_address = false;
  expect(check_certificate(facts, kNow), Grade::Error, "10.0.0.5");
  facts.fits_key = false;
  expect(check_certificate(facts, kNow), Grade::Error, "do not belong together");
  facts.is_parsed = false;
  expect(check_certificate(facts, kNow), Grade::Error, "not a certificate");
  facts.is_readable = false;
  expect(check_certificate(facts, kNow), Grade::Error, "cannot be read");
}

TEST(CertificateCheck, a_changed_file_that_is_not_served_yet_is_a_warning) {
  CertificateFacts facts = good_certificate();
  facts.is_served = true;
  expect(check_certificate(facts, kNow), Grade::Ok, "valid");
  facts.is_served = false;
  expect(check_certificate(facts, kNow), Grade::Warning, "not the one that is served");
}

TEST(CertificateCheck, who_has_an_own_certificate_is_not_told_that_it_renews_itself) {
  CertificateFacts facts = good_certificate();
  facts.is_private = false;
  EXPECT_NE(check_certificate(facts, in_days(201)).advice.en.find("tls.cert"), std::string::npos);
}

TEST(ClockCheck, a_clock_behind_what_surely_happened_is_an_error_and_one_nobody_keeps_a_warning) {
  expect(check_clock({kNow, true, in_days(-1)}), Grade::Ok, "right");
  expect(check_clock({kNow, false, in_days(-1)}), Grade::Warning, "drift");
  expect(check_clock({kNow, true, in_days(1)}), Grade::Error, "in the past");
}

DiskFacts good_disk() { return {"/data", 50ULL << 30, 1'000'000, {}, Duration::millis(3)}; }

TEST(DiskCheck, a_disk_that_takes_no_write_is_an_error_with_its_reason) {
  DiskFacts facts = good_disk();
  expect(check_disk(facts), Grade::Ok, "takes writes");
  facts.write_error = "Read-only file system";
  expect(check_disk(facts), Grade::Error, "Read-only file system");
}

TEST(DiskCheck, warns_when_it_gets_full_or_slow_and_fails_when_it_is_full) {
  DiskFacts facts = good_disk();
  facts.free_bytes = 500ULL << 20;
  expect(check_disk(facts), Grade::Warning, "500 MiB");
  facts.free_bytes = 10ULL << 20;
  expect(check_disk(facts), Grade::Error, "10 MiB");
  facts = good_disk();
  facts.free_files = 5;
  expect(check_disk(facts), Grade::Error, "left");
  facts = good_disk();
  facts.sync_time = Duration::seconds(1);
  expect(check_disk(facts), Grade::Warning, "slow");
}

TEST(FolderCheck, keys_that_others_can_read_or_that_others_own_are_errors) {
  FolderFacts facts{.folder = "/data", .mode = 0700};
  expect(check_folder(facts), Grade::Ok, "closed");
  facts.mode = 0755;
  expect(check_folder(facts), Grade::Error, "755");
  facts.mode = 0700;
  facts.open_files = {"tls/ca.key"};
  expect(check_folder(facts), Grade::Error, "tls/ca.key");
  facts.open_files.clear();
  facts.alien_files = {"huitang.db"};
  expect(check_folder(facts), Grade::Error, "huitang.db");
  facts.may_look = false;
  expect(check_folder(facts), Grade::Error, "may not read");
  facts.exists = false;
  expect(check_folder(facts), Grade::Error, "does not exist");
}

TEST(KernelCheck, small_buffers_and_low_limits_are_warnings) {
  const Findings good = check_kernel({8 << 20, 8 << 20, 65536, 4000});
  ASSERT_EQ(good.size(), 2u);
  for (const Finding& finding : good) expect(finding, Grade::Ok, "nough");
  expect(check_kernel({212992, 8 << 20, 65536, 4000})[0], Grade::Warning, "212992");
  expect(check_kernel({8 << 20, 212992, 65536, 4000})[0], Grade::Warning, "212992");
  expect(check_kernel({8 << 20, 8 << 20, 1024, 4000})[1], Grade::Warning, "1024");
  expect(check_kernel({8 << 20, 8 << 20, {}, 4000})[1], Grade::Ok, "nough");
}

TEST(FirewallCheck, names_every_port_and_the_command_of_the_firewall_seen) {
  expect(check_firewall({"", 443, 80, 20000, 2}), Grade::Ok, "TCP 443, 80; UDP 20000-20001");
  const Finding seen = check_firewall({"firewalld", 443, 0, 20000, 1});
  EXPECT_NE(seen.advice.en.find("--add-port=443/tcp"), std::string::npos);
  EXPECT_NE(check_firewall({"ufw", 8443, 0, 20000, 4}).advice.zh.find("20000:20003/udp"), std::string::npos);
}

TEST(ServeCheck, says_whether_nobody_somebody_else_or_an_unready_serve_answered) {
  expect(check_serve({.is_reached = true, .is_ready = true}), Grade::Ok, "can meet");
  expect(check_serve({.address = "127.0.0.1:443"}), Grade::Error, "do not answer at 127.0.0.1:443");
  expect(check_serve({.is_other = true, .address = "127.0.0.1:443"}), Grade::Error, "is not this Huitang");
  expect(check_serve({.is_reached = true, .missing = "the disk is full"}), Grade::Error, "the disk is full");
}

TEST(AlarmsCheck, an_alarm_is_a_warning_with_its_words) {
  expect(check_alarms({.is_reached = true}), Grade::Ok, "No alarm");
  expect(check_alarms({.is_reached = true, .alarms = "65 joins were refused"}), Grade::Warning, "65 joins");
}

TEST(MediaCheck, tells_one_that_is_gone_from_one_that_hangs_and_one_of_another_version) {
  using enum MediaFacts::Answer;
  MediaFacts facts{"/run/m.sock", Good, "0.1.0", "0.1.0", 2};
  expect(check_media(facts), Grade::Ok, "2 workers");
  facts.build = "0.0.9";
  expect(check_media(facts), Grade::Warning, "0.0.9");
  for (const auto& [answer, text] : {std::pair(NoSocket, "does not run"), std::pair(Refused, "has ended"),
                                     std::pair(Forbidden, "may not connect"), std::pair(Silent, "it hangs"),
                                     std::pair(Stuck, "A worker of the media service hangs")}) {
    facts.answer = answer;
    expect(check_media(facts), Grade::Error, text);
  }
}

TEST(PathCheck, says_how_far_a_trial_meeting_came) {
  expect(check_path({.obstacle = "serve is not ready"}), Grade::Error, "serve is not ready");
  PathFacts facts{.is_tried = true};
  expect(check_path(facts), Grade::Error, "not everybody could join");
  facts.joined = 2;
  expect(check_path(facts), Grade::Error, "UDP");
  facts.connected = 2;
  facts.seeing = 2;
  facts.hearing = 1;
  expect(check_path(facts), Grade::Error, "only 2 see and 1 hear");
  facts.hearing = 2;
  expect(check_path(facts), Grade::Ok, "saw and heard");
}

}  // namespace
}  // namespace huitang::doctor
