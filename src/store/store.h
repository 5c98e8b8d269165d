// The store of one domain: the journal of live conferences, the list of conferences, and settings. SQLite
// through SOCI (WAL, synchronous=FULL); PostgreSQL is to pass the same contract test later.
//
// All work is done on one thread of its own, in the order it was given. Whatever waits when the thread comes
// round is written in one transaction, so that many conferences share one fsync; a callback that reports
// success runs after it. Callbacks are handed to `completions` in the order of the calls. Nothing here blocks
// the caller.
//
// The journal of a conference is its last snapshot and the changes since. Every `snapshot_every` changes the
// store makes a new snapshot by itself, by replaying what it has, in the same transaction that drops what it
// replaces.
//
// Left out: deciding anything (conference::Ledger keeps the order of deciding, writing and telling),
// encryption at rest.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "conference/conference.h"
#include "core/error.h"
#include "core/result.h"

namespace huitang::store {

/// What the environment's own codes (std::errc::no_space_on_device, read_only_file_system, io_error …) do not
/// say.
enum class StoreError {
  NumberTaken = 1,    ///< a conference of this number exists, or has existed and is not pruned yet
  UnknownConference,  ///< no live conference of this number
  OutOfOrder,         ///< not the change after the last one written: an earlier one failed
  Damaged,            ///< what is on disk cannot be what was written; left as it is
  SchemaTooNew,       ///< written by a later version of this program
  Overloaded,         ///< the queue is full: the disk does not keep up
};
std::error_code make_error_code(StoreError);

struct Config {
  std::string path;               ///< of the database file; its folder must exist
  uint32_t snapshot_every = 256;  ///< changes
  size_t queue_cap = 20'000;      ///< calls waiting
};

template <class T>
using Callback = std::function<void(core::Result<T, core::Failure>)>;
/// Runs the given function later on the caller's thread (an event loop's post).
using Executor = std::function<void(std::function<void()>)>;

/// A conference whose journal could be read only in part.
struct DamagedConference {
  std::string number;
  std::string what;  ///< for the log and the administrator
  bool is_restored =
      false;  ///< up to the last good change; the rest is kept aside in the table `damaged_changes`
};
struct LiveConferences {
  std::vector<conference::Conference> conferences;
  std::vector<DamagedConference> damaged;
};

struct ConferenceRecord {
  std::string number;
  std::string title;
  core::WallTime created;
  std::optional<core::WallTime> ended;
};

using SettingList = std::vector<std::pair<std::string, std::string>>;

/// For /metrics and health.
struct Counters {
  uint64_t writes = 0;        ///< calls that were made durable
  uint64_t transactions = 0;  ///< fsyncs they shared
  uint64_t failures = 0;
  uint64_t rejected = 0;  ///< by queue_cap
  uint64_t snapshots = 0;
  size_t waiting = 0;
};

class Store {
 public:
  /// Opens or makes the database and brings its schema up to date. Blocks; meant for the start of a process.
  static core::Result<std::unique_ptr<Store>, core::Failure> open(const Config&, Executor completions);
  /// Finishes what waits, then ends the thread; callbacks are still handed to the executor.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// A new conference with its snapshot. NumberTaken: draw another number.
  void add_conference(const conference::Conference&, Callback<void>);
  /// The next change of a live conference. A change that ends the conference marks it ended.
  void append(const std::string& number, conference::Change, Callback<void>);
  /// Every conference that has not ended, as it was when last written.
  void load_live(Callback<LiveConferences>);
  /// Live or ended; absent when unknown.
  void find_conference(const std::string& number, Callback<std::optional<ConferenceRecord>>);
  /// Forgets conferences that ended before then, with their journals. Says how many.
  void prune_ended_before(core::WallTime, Callback<uint64_t>);

  /// Small values by name: signing keys, the admin token's hash, options. Values are bytes.
  void put_setting(const std::string& name, std::string value, Callback<void>);
  void get_setting(const std::string& name, Callback<std::optional<std::string>>);
  /// Stores `value` unless there is one already; gives what is stored then.
  void get_or_put_setting(const std::string& name, std::string value, Callback<std::string>);
  void drop_setting(const std::string& name, Callback<void>);
  /// All whose names begin so, with their whole names.
  void list_settings(const std::string& prefix, Callback<SettingList>);

  Counters counters() const;

 private:
  class Worker;
  explicit Store(std::unique_ptr<Worker>);
  std::unique_ptr<Worker> worker_;
};

}  // namespace huitang::store

template <>
struct std::is_error_code_enum<huitang::store::StoreError> : std::true_type {};
