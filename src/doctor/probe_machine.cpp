#include "doctor/probe_machine.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "api/certificate_view.h"
#include "api/file_util.h"
#include "net/clock.h"
#include "net/unique_fd.h"

namespace huitang::doctor {

namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> read_number(const std::string& file) {
  std::ifstream in(file);
  uint64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

/// The entries that one level of the data folder and of DATA/tls holds; nothing deeper is kept there.
std::vector<fs::path> files_of(const std::string& data) {
  std::vector<fs::path> files;
  for (const std::string& folder : {data, data + "/tls"}) {
    std::error_code ignored;
    for (fs::directory_iterator it(folder, ignored), end; !ignored && it != end; it.increment(ignored))
      files.push_back(it->path());
  }
  return files;
}

/// What must be read by the owner alone. Public certificates may be seen by all, the folder keeps them in any
/// case.
bool is_secret(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(".key") || name.ends_with(".token") || name.starts_with("huitang.db");
}

/// Why it did not work; empty when it did.
std::string write_and_sync(const std::string& path, core::Duration& took) {
  const auto failed = [&path](const char* what) {
    const std::string reason = api::last_failure(what).code.message();
    ::unlink(path.c_str());
    return reason;
  };
  const core::Instant began = net::monotonic_now();
  const net::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return failed("create");
  const std::string content(4096, 'h');
  if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    return failed("write");
  if (::fsync(fd.get()) != 0) return failed("sync");
  std::string back(content.size(), '\0');
  if (::pread(fd.get(), back.data(), back.size(), 0) != static_cast<ssize_t>(back.size()) || back != content)
    return failed("read");
  took = net::monotonic_now() - began;
  ::unlink(path.c_str());
  return {};
}

}  // namespace

ClockFacts probe_clock(const std::string& data) {
  ClockFacts facts;
  facts.now = net::wall_now();
  timex kernel{};
  facts.is_synchronised = ::adjtimex(&kernel) != TIME_ERROR && (kernel.status & STA_UNSYNC) == 0;
  for (const fs::path& file : files_of(data)) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) continue;
    facts.known_past =
        std::max(facts.known_past, core::WallTime::from_unix_millis(int64_t{found.st_mtim.tv_sec} * 1000));
  }
  return facts;
}

DiskFacts probe_disk(const std::string& data) {
  DiskFacts facts;
  facts.folder = data;
  facts.free_files = UINT64_MAX;
  struct statvfs disk {};
  if (::statvfs(data.c_str(), &disk) == 0) {
    facts.free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
    if (disk.f_files != 0) facts.free_files = disk.f_favail;
  }
  facts.write_error = write_and_sync(data + "/.doctor-" + std::to_string(::getpid()), facts.sync_time);
  return facts;
}

FolderFacts probe_folder(const std::string& data) {
  FolderFacts facts;
  facts.folder = data;
  struct stat folder {};
  facts.exists = ::stat(data.c_str(), &folder) == 0;
  if (!facts.exists) return facts;
  facts.mode = folder.st_mode & 0777;
  facts.may_look = ::access(data.c_str(), R_OK | X_OK) == 0;
  for (const fs::path& file : files_of(data)) {
    struct stat found {};
    if (::lstat(file.c_str(), &found) != 0) continue;
    const std::string name = fs::relative(file, data).string();
    if (is_secret(file) && (found.st_mode & 0077) != 0) facts.open_files.push_back(name);
    if (found.st_uid != folder.st_uid) facts.alien_files.push_back(name);
  }
  return facts;
}

KernelFacts probe_kernel(const api::Settings& settings, int serve_pid) {
  KernelFacts facts;
  facts.receive_buffer_max = read_number("/proc/sys/net/core/rmem_max");
  facts.send_buffer_max = read_number("/proc/sys/net/core/wmem_max");
  facts.connections = settings.connections;
  if (serve_pid == 0) return facts;
  std::ifstream limits("/proc/" + std::to_string(serve_pid) + "/limits");
  constexpr std::string_view kRow = "Max open files";
  for (std::string line; std::getline(limits, line);) {
    if (!line.starts_with(kRow)) continue;
    uint64_t soft = 0;
    std::istringstream words(line.substr(kRow.size()));
    facts.open_files = words >> soft ? soft : UINT64_MAX;  // "unlimited"
  }
  return facts;
}

FirewallFacts probe_firewall(const api::Settings& settings, uint32_t workers) {
  FirewallFacts facts{{}, settings.https_port, settings.redirect_port, settings.udp_port, workers};
  if (facts.udp_count == 0) facts.udp_count = settings.media_workers;
  if (facts.udp_count == 0) facts.udp_count = std::max(1U, std::thread::hardware_concurrency());
  std::error_code ignored;
  std::ifstream ufw("/etc/ufw/ufw.conf");
  for (std::string line; std::getline(ufw, line);)
    if (line == "ENABLED=yes") facts.active = "ufw";
  if (fs::exists("/run/firewalld", ignored)) facts.active = "firewalld";
  return facts;
}

CertificateFiles certificate_files(const api::Settings& settings) {
  if (!settings.tls_cert.empty()) return {settings.tls_cert, settings.tls_key};
  return {settings.data + "/tls/server.crt", settings.data + "/tls/server.key"};
}

CertificateFacts probe_certificate(const api::Settings& settings) {
  const CertificateFiles files = certificate_files(settings);
  CertificateFacts facts;
  facts.file = files.cert;
  facts.is_private = settings.tls_cert.empty();
  facts.public_address = settings.public_address;
  const auto cert = api::read_small_file(files.cert);
  const auto key = api::read_small_file(files.key);
  facts.is_readable = cert && *cert && key && *key;
  if (!facts.is_readable) return facts;
  const std::optional<api::CertificateView> view = api::view_certificate(**cert);
  facts.is_parsed = view.has_value();
  if (!view) return facts;
  facts.not_before = view->not_before;
  facts.not_after = view->not_after;
  facts.fits_key = api::fits_key(**cert, **key);
  facts.names_public_address = api::names_host(**cert, settings.public_address);
  return facts;
}

int find_serve(const std::string& data) {
  const net::UniqueFd lock(::open((data + "/serve.lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return 0;
  const auto text = api::read_small_file(data + "/serve.lock");
  int pid = 0;
  if (text && *text) std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), pid);
  return pid;
}

}  // namespace huitang::doctor
