#include "doctor/machine_check.h"

#include <algorithm>

namespace huitang::doctor {

namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kDiskFull = 64 * kMiB;
constexpr uint64_t kDiskLow = 1024 * kMiB;
constexpr uint64_t kFilesLow = 1000;
constexpr core::Duration kSlowSync = core::Duration::millis(250);
constexpr uint64_t kWantedBuffer = 4 * kMiB;  // what each media worker asks for
constexpr int64_t kClockSlack = 5 * 60 * 1000;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > 3 ? text + " …" : text;
}

std::string in_mib(uint64_t bytes) { return std::to_string(bytes / kMiB) + " MiB"; }

std::string octal(uint32_t mode) {
  std::string text;
  for (int shift = 6; shift >= 0; shift -= 3) text += static_cast<char>('0' + ((mode >> shift) & 7));
  return text;
}

}  // namespace

Finding check_clock(const ClockFacts& facts) {
  if (facts.now.to_unix_millis() + kClockSlack < facts.known_past.to_unix_millis())
    return {
        "time",
        Grade::Error,
        {"本机时间落在过去：证书会失效，记录会错乱",
         "The clock stands in the past: certificates fail and records get out of order"},
        {"校准时间（timedatectl set-time，或接上单位的 NTP 服务器），再重启 huitang-serve",
         "Set the clock (timedatectl set-time, or your office's NTP server), then restart huitang-serve"}};
  if (!facts.is_synchronised)
    return {
        "time",
        Grade::Warning,
        {"本机时间没有与时间服务器同步，会慢慢走偏", "The clock is not kept by a time server and will drift"},
        {"在 /etc/systemd/timesyncd.conf 里写单位的 NTP 服务器，再运行 timedatectl set-ntp true",
         "Name your office's NTP server in /etc/systemd/timesyncd.conf and run timedatectl set-ntp true"}};
  return {"time", Grade::Ok, {"时间准确，已同步", "The clock is right and synchronised"}, {}};
}

Finding check_disk(const DiskFacts& facts) {
  if (!facts.write_error.empty())
    return {"disk",
            Grade::Error,
            {"数据目录 " + facts.folder + " 写不进去（" + facts.write_error + "）：开会的改动会被拒绝",
             "Nothing can be written to " + facts.folder + " (" + facts.write_error +
                 "): what people do in meetings is refused"},
            {"检查磁盘是否已满（df -h）、是否变成只读（mount、dmesg）、目录是否归用户 huitang 所有",
             "See whether the disk is full (df -h) or has become read-only (mount, dmesg), and whether the "
             "folder "
             "belongs to the user huitang"}};
  if (facts.free_bytes < kDiskFull || facts.free_files < kFilesLow / 10)
    return {
        "disk",
        Grade::Error,
        {"磁盘只剩 " + in_mib(facts.free_bytes), "The disk has only " + in_mib(facts.free_bytes) + " left"},
        {"立即清理：journalctl --vacuum-size=200M、apt-get clean，删掉不用的文件",
         "Make room now: journalctl --vacuum-size=200M, apt-get clean, remove what is not needed"}};
  if (facts.free_bytes < kDiskLow || facts.free_files < kFilesLow)
    return {"disk",
            Grade::Warning,
            {"磁盘剩余空间不多：" + in_mib(facts.free_bytes),
             "The disk gets full: " + in_mib(facts.free_bytes) + " left"},
            {"清理日志和旧文件，或扩大磁盘", "Remove logs and old files, or get a larger disk"}};
  if (facts.sync_time > kSlowSync)
    return {"disk",
            Grade::Warning,
            {"磁盘很慢：写一次要 " + std::to_string(facts.sync_time.to_millis()) + " 毫秒，会控操作会迟钝",
             "The disk is slow: one write takes " + std::to_string(facts.sync_time.to_millis()) +
                 " ms, and so does each action in a meeting"},
            {"查看有没有别的程序占用磁盘（iotop）；机械硬盘请换成固态硬盘",
             "See what else uses the disk (iotop); replace a rotating disk by a solid-state one"}};
  return {"disk",
          Grade::Ok,
          {"磁盘可写，剩余 " + in_mib(facts.free_bytes),
           "The disk takes writes, " + in_mib(facts.free_bytes) + " free"},
          {}};
}

Finding check_folder(const FolderFacts& facts) {
  const std::string repair = "chown -R huitang: " + facts.folder + " && chmod -R go= " + facts.folder;
  if (!facts.exists)
    return {"folder",
            Grade::Error,
            {"数据目录 " + facts.folder + " 不存在", "The data folder " + facts.folder + " does not exist"},
            {"首次启动 huitang-serve 会建立它；如果原来有，请从备份恢复",
             "The first start of huitang-serve makes it; if there was one, restore the backup"}};
  if (!facts.may_look)
    return {"folder",
            Grade::Error,
            {"当前用户读不了 " + facts.folder, "This user may not read " + facts.folder},
            {"用 sudo huitang doctor 再查一次", "Run it again as sudo huitang doctor"}};
  if ((facts.mode & 0077) != 0 || !facts.open_files.empty())
    return {"folder",
            Grade::Error,
            {"别的用户能读到密钥：" + facts.folder + " 权限 " + octal(facts.mode) + " " +
                 joined(facts.open_files),
             "Other users can read keys: " + facts.folder + " has mode " + octal(facts.mode) + " " +
                 joined(facts.open_files)},
            {"运行 " + repair, "Run " + repair}};
  if (!facts.alien_files.empty())
    return {"folder",
            Grade::Error,
            {"有文件不归会堂所有，服务可能读写不了：" + joined(facts.alien_files),
             "Files belong to another user, so the service may fail on them: " + joined(facts.alien_files)},
            {"运行 " + repair, "Run " + repair}};
  return {"folder", Grade::Ok, {"数据目录权限正确", "The data folder is closed to others"}, {}};
}

Findings check_kernel(const KernelFacts& facts) {
  Findings found;
  const uint64_t smaller = std::min(facts.receive_buffer_max.value_or(kWantedBuffer),
                                    facts.send_buffer_max.value_or(kWantedBuffer));
  if (smaller < kWantedBuffer)
    found.push_back(
        {"kernel-buffers",
         Grade::Warning,
         {"网络缓冲上限太小（" + std::to_string(smaller) + " 字节），人多时会丢包",
          "The kernel allows small network buffers only (" + std::to_string(smaller) +
              " bytes); packets get lost when many meet"},
         {"运行 sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608，并写进 /etc/sysctl.d/，"
          "再在没有会议时重启 huitang-media",
          "Run sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608, write it into "
          "/etc/sysctl.d/, and restart huitang-media when no meeting is on"}});
  else
    found.push_back({"kernel-buffers", Grade::Ok, {"网络缓冲足够", "Network buffers are large enough"}, {}});
  // Beside connections: listeners, the database, children.
  const uint64_t needed = uint64_t{facts.connections} + 64;
  if (facts.open_files && *facts.open_files < needed)
    found.push_back(
        {"open-files",
         Grade::Warning,
         {"服务最多只能打开 " + std::to_string(*facts.open_files) + " 个文件，少于 limits.connections 所需",
          "The service may open " + std::to_string(*facts.open_files) +
              " files only, fewer than limits.connections needs"},
         {"在服务单元里设 LimitNOFILE=65536（安装包自带），或调小 limits.connections",
          "Set LimitNOFILE=65536 in the unit (the package does), or lower limits.connections"}});
  else
    found.push_back({"open-files", Grade::Ok, {"可打开的文件数足够", "Enough files may be open"}, {}});
  return found;
}

Finding check_firewall(const FirewallFacts& facts) {
  std::string ports = "TCP " + std::to_string(facts.https_port);
  if (facts.redirect_port != 0) ports += ", " + std::to_string(facts.redirect_port);
  const uint32_t last = facts.udp_first + std::max(facts.udp_count, 1U) - 1;
  ports += "; UDP " + std::to_string(facts.udp_first);
  if (last != facts.udp_first) ports += "-" + std::to_string(last);
  if (facts.active.empty())
    return {"firewall",
            Grade::Ok,
            {"本机没有发现防火墙；路上的防火墙要放行 " + ports,
             "No firewall seen on this machine; those on the way must let through " + ports},
            {}};
  Words how{"在 " + facts.active + " 中放行 " + ports, "Let " + ports + " through in " + facts.active};
  if (facts.active == "firewalld") {
    const std::string command = "firewall-cmd --permanent --add-port=" + std::to_string(facts.https_port) +
                                "/tcp --add-port=" + std::to_string(facts.udp_first) + "-" +
                                std::to_string(last) + "/udp && firewall-cmd --reload";
    how = {"运行 " + command, "Run " + command};
  } else if (facts.active == "ufw") {
    const std::string command = "ufw allow " + std::to_string(facts.https_port) + "/tcp && ufw allow " +
                                std::to_string(facts.udp_first) + ":" + std::to_string(last) + "/udp";
    how = {"运行 " + command, "Run " + command};
  }
  return {"firewall",
          Grade::Ok,
          {"本机开着防火墙 " + facts.active + "，要放行 " + ports,
           "The firewall " + facts.active + " is on; it must let through " + ports},
          std::move(how)};
}

}  // namespace huitang::doctor
