// What the store does, without threads: each function works inside a transaction of the caller's.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "store/database.h"
#include "store/store.h"

namespace huitang::store {

class Journal {
 public:
  explicit Journal(uint32_t snapshot_every) : snapshot_every_(snapshot_every) {}

  Status add_conference(soci::session&, const conference::Conference&);
  Status append(soci::session&, const std::string& number, const conference::Change&);
  Status load_live(soci::session&, LiveConferences& out);
  Status find_conference(soci::session&, const std::string& number, std::optional<ConferenceRecord>& out);
  Status prune_ended_before(soci::session&, core::WallTime, uint64_t& pruned);
  Status put_setting(soci::session&, const std::string& name, const std::string& value);
  Status get_setting(soci::session&, const std::string& name, std::optional<std::string>& out);
  Status drop_setting(soci::session&, const std::string& name);
  Status list_settings(soci::session&, const std::string& prefix, SettingList& out);

  /// The transaction was undone: what is remembered of the conferences it touched may be wrong now, and a
  /// change that was refused may be on disk after all, to be overwritten by the next one of its number.
  void handle_rollback();
  /// The transaction is durable.
  void handle_commit();

  uint64_t snapshots() const { return snapshots_; }

 private:
  /// Where the journal of a live conference stands.
  struct Position {
    uint64_t last = 0;
    uint64_t snapshot = 0;
    bool is_damaged = false;  ///< no snapshot can be made of it; the changes are kept
  };
  Position* find_position(soci::session&, const std::string& number);
  Status make_room(soci::session&, const std::string& number, const Position&, uint64_t change);
  void compact(soci::session&, const std::string& number, Position&);

  uint32_t snapshot_every_;
  uint64_t snapshots_ = 0;
  std::map<std::string, Position> positions_;
  std::set<std::string> touched_;   ///< in the transaction that runs
  std::set<std::string> doubtful_;  ///< touched by one that was undone, and not written since
};

}  // namespace huitang::store
