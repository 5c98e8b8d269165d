// The machine below: clock, disk, data folder, kernel settings, firewall.
#pragma once

#include <optional>

#include "core/time.h"
#include "doctor/finding.h"

namespace huitang::doctor {

struct ClockFacts {
  core::WallTime now;
  bool is_synchronised = false;  ///< as the kernel says
  /// The newest moment that surely lies behind us: of the program's build, of files written in the data folder.
  core::WallTime known_past;
};
Finding check_clock(const ClockFacts& facts);

struct DiskFacts {
  std::string folder;
  uint64_t free_bytes = 0;
  uint64_t free_files = 0;  ///< inodes; UINT64_MAX where the file system has no such limit
  /// A file could be written, synced and read back; otherwise why not.
  std::string write_error;
  core::Duration sync_time;
};
Finding check_disk(const DiskFacts& facts);

struct FolderFacts {
  std::string folder;
  bool exists = true;
  bool may_look = true;                  ///< this user may read it at all
  uint32_t mode = 0;                     ///< of the folder, permission bits
  std::vector<std::string> open_files;   ///< keys and tokens that others may read
  std::vector<std::string> alien_files;  ///< of another owner than the folder's
};
Finding check_folder(const FolderFacts& facts);

struct KernelFacts {
  std::optional<uint64_t> receive_buffer_max;  ///< net.core.rmem_max, bytes
  std::optional<uint64_t> send_buffer_max;
  std::optional<uint64_t> open_files;  ///< limit of the running serve; absent when it does not run
  uint32_t connections = 0;            ///< as set
};
Findings check_kernel(const KernelFacts& facts);

struct FirewallFacts {
  std::string active;  ///< "firewalld", "ufw", "nftables"; empty: none seen
  uint32_t https_port = 0;
  uint32_t redirect_port = 0;  ///< 0: none
  uint32_t udp_first = 0;
  uint32_t udp_count = 0;
};
Finding check_firewall(const FirewallFacts& facts);

}  // namespace huitang::doctor
