// Reads clock, disk, data folder, kernel settings and certificate off this machine.
#pragma once

#include "api/settings.h"
#include "doctor/certificate_check.h"
#include "doctor/machine_check.h"

namespace huitang::doctor {

ClockFacts probe_clock(const std::string& data);
/// Writes, syncs, reads and removes a small file in the folder.
DiskFacts probe_disk(const std::string& data);
FolderFacts probe_folder(const std::string& data);
/// `serve_pid` 0: it does not run.
KernelFacts probe_kernel(const api::Settings& settings, int serve_pid);
FirewallFacts probe_firewall(const api::Settings& settings, uint32_t workers);

/// Where the server certificate and its key stand under these settings.
struct CertificateFiles {
  std::string cert;
  std::string key;
};
CertificateFiles certificate_files(const api::Settings& settings);
CertificateFacts probe_certificate(const api::Settings& settings);

/// Of the process that holds the data folder's lock; 0 when none does.
int find_serve(const std::string& data);

}  // namespace huitang::doctor
