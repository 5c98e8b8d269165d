// Who may have a connection to the HTTPS server, and for how long: the decision apart from the sockets.
//
// Connections are capped in all, by address (IPv6: by /64), and those of strangers to half of all, so that no
// flood of connections which say nothing keeps out sessions that come back. Where a cap is reached, the oldest
// stranger makes room, then the oldest guest; a member never does. A stranger has a deadline for everything he
// has to say – one for the whole, not for each byte; guests and members have none here.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "api/client_sockets.h"
#include "core/address.h"
#include "core/id.h"
#include "core/time.h"

namespace huitang::api {

using PlaceId = core::Id<struct PlaceTag, uint64_t>;

struct DoorLimits {
  size_t connections = 4000;
  size_t per_address = 200;
  core::Duration stranger_time = core::Duration::seconds(10);
};

class Door {
 public:
  struct Admission {
    PlaceId place;
    std::optional<PlaceId> to_close;  ///< makes room; leave() of it follows
  };
  explicit Door(DoorLimits limits) : limits_(limits) {}

  /// Absent: refused.
  std::optional<Admission> admit(core::Instant now, const core::IpAddress& from);
  /// What follows has no deadline; a member or guest never becomes a stranger again.
  void set_standing(PlaceId place, Standing standing);
  /// A stranger has done what he was to do: he is the youngest again, and has until then for what comes next.
  void set_deadline(PlaceId place, core::Instant deadline);
  void leave(PlaceId place);
  /// Strangers whose time is over, each once.
  std::vector<PlaceId> take_overdue(core::Instant now);

  size_t size() const { return places_.size(); }
  size_t strangers() const { return strangers_.size(); }
  size_t most_strangers() const { return limits_.connections / 2; }
  bool is_consistent() const;

 private:
  struct Place {
    core::IpAddress network;
    Standing standing = Standing::Stranger;
    core::Instant deadline;
    bool is_closing = false;
    std::list<PlaceId>::iterator in_line;  ///< of its standing; members stand in none
  };
  std::optional<PlaceId> oldest_of(const std::list<PlaceId>& line, const core::IpAddress* network) const;
  void step_out_of_line(Place& place);

  DoorLimits limits_;
  uint64_t next_ = 1;
  std::unordered_map<PlaceId, Place> places_;
  std::unordered_map<core::SocketAddress, size_t> by_network_;  ///< port 0
  std::list<PlaceId> strangers_, guests_;  ///< oldest first; those that are being closed stand in none
};

}  // namespace huitang::api
