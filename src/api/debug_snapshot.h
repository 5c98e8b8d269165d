// The administrator's view of the whole ownership tree (proto/huitang/v1/debug.proto), and what of it is hidden.
#pragma once

#include <string>
#include <string_view>

#include "core/address.h"

namespace huitang::v1 {
class DebugProcess;
class DebugSnapshot;
class PeerLog;
class Snapshot;
}  // namespace huitang::v1

namespace huitang::api {

/// What stands for something that belongs to a person: a hash as in the log, or the thing itself.
class Veil {
 public:
  explicit Veil(bool revealed) : revealed_(revealed) {}
  bool is_revealed() const { return revealed_; }
  /// Names, titles, numbers. Empty stays empty.
  std::string shown(std::string_view text) const;
  std::string shown(const core::IpAddress& address) const { return shown(core::to_string(address)); }
  /// A node's group, which is a conference's number: the number that the hash is.
  uint64_t shown_group(uint64_t number) const;
  /// Session ids and whatever else lets somebody in: always a hash.
  static std::string hidden(std::string_view secret);

 private:
  bool revealed_;
};

/// Of this process, from /proc.
void fill_process(v1::DebugProcess& out);
/// Addresses of peers, and groups, which are conferences' numbers; a node knows nothing else of people.
void veil_node(v1::Snapshot& snapshot, const Veil& veil);
/// Addresses among what happened to peers.
void veil_log(v1::PeerLog& log, const Veil& veil);
std::string to_json(const v1::DebugSnapshot& snapshot);

}  // namespace huitang::api
