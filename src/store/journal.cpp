#include "store/journal.h"

#include <soci/soci.h>

#include <vector>

#include "store/journal_codec.h"

namespace huitang::store {
namespace {

using conference::Change;
using conference::Conference;

core::Unexpected<core::Failure> fail(StoreError error, std::string context) {
  return core::err(core::Failure{error, std::move(context)});
}

// SOCI's widest integer, for column types on both databases.
long long to_sql(uint64_t v) { return static_cast<long long>(v); }
long long to_sql(core::WallTime t) { return t.to_unix_millis(); }

struct StoredChange {
  uint64_t change = 0;
  std::string record;
};

std::vector<StoredChange> read_changes(soci::session& sql, const std::string& number) {
  std::vector<StoredChange> rows;
  long long change = 0;
  std::string record;
  soci::statement st = (sql.prepare << "SELECT change, record FROM changes WHERE number = :n ORDER BY change",
                        soci::use(number), soci::into(change), soci::into(record));
  st.execute();
  while (st.fetch()) rows.push_back({static_cast<uint64_t>(change), record});
  return rows;
}

/// What a journal gives: the conference up to the first change that cannot be read or made again.
struct Restored {
  std::optional<Conference> conference;  ///< absent: the snapshot itself is damaged
  std::optional<uint64_t> first_bad;
  std::string what;
};

Restored restore(const std::string& snapshot, const std::vector<StoredChange>& rows) {
  const auto state = parse_snapshot(snapshot);
  if (!state) return {std::nullopt, std::nullopt, std::string("snapshot ") + to_string(state.error())};
  auto conference = Conference::from_snapshot(*state);
  if (!conference) return {std::nullopt, std::nullopt, "snapshot contradicts itself"};
  std::vector<Change> changes;
  Restored out;
  for (const StoredChange& row : rows) {
    auto change = parse_change(row.record);
    if (!change) {
      out.first_bad = row.change;
      out.what = "change " + std::to_string(row.change) + " " + to_string(change.error());
      break;
    }
    changes.push_back(*std::move(change));
  }
  if (!conference->replay(changes)) {  // one by one, to find which
    for (const Change& change : changes) {
      if (conference->replay({&change, 1})) continue;
      out.first_bad = change.number;
      out.what = "change " + std::to_string(change.number) + " does not follow";
      break;
    }
  }
  out.conference = *std::move(conference);
  return out;
}

void set_aside(soci::session& sql, const std::string& number, uint64_t first_bad) {
  const long long first = to_sql(first_bad);
  sql << "INSERT INTO damaged_changes (number, change, record) SELECT number, change, record FROM changes "
         "WHERE number = :n AND change >= :f",
      soci::use(number, "n"), soci::use(first, "f");
  sql << "DELETE FROM changes WHERE number = :n AND change >= :f", soci::use(number, "n"),
      soci::use(first, "f");
}

}  // namespace

Status Journal::add_conference(soci::session& sql, const Conference& conference) {
  const std::string& number = conference.info().number;
  long long present = 0;
  sql << "SELECT COUNT(*) FROM conferences WHERE number = :n", soci::use(number), soci::into(present);
  if (present != 0) return fail(StoreError::NumberTaken, "add conference");
  const std::string& title = conference.info().title;
  const long long created = to_sql(conference.info().started);
  const long long last = to_sql(conference.snapshot().last_change);
  const std::string snapshot = write_snapshot(conference.snapshot());
  touched_.insert(number);
  sql << "INSERT INTO conferences (number, title, created_ms, snapshot_change, snapshot) "
         "VALUES (:n, :t, :c, :l, :s)",
      soci::use(number), soci::use(title), soci::use(created), soci::use(last), soci::use(snapshot);
  positions_[number] = {conference.snapshot().last_change, conference.snapshot().last_change};
  return {};
}

Journal::Position* Journal::find_position(soci::session& sql, const std::string& number) {
  if (const auto known = positions_.find(number); known != positions_.end()) return &known->second;
  long long snapshot = 0, last = 0;
  sql << "SELECT c.snapshot_change, COALESCE((SELECT MAX(change) FROM changes WHERE number = c.number), 0) "
         "FROM conferences c WHERE c.number = :n AND c.ended_ms IS NULL",
      soci::use(number), soci::into(snapshot), soci::into(last);
  if (!sql.got_data()) return nullptr;
  Position position;
  position.snapshot = static_cast<uint64_t>(snapshot);
  position.last = static_cast<uint64_t>(std::max(snapshot, last));
  return &positions_.emplace(number, position).first->second;
}

// After a failure the disk may hold changes that were refused; the next one of their number takes their
// place.
Status Journal::make_room(soci::session& sql, const std::string& number, const Position& at,
                          uint64_t change) {
  if (change == at.last + 1) return {};
  const bool is_replacing = doubtful_.contains(number) && change <= at.last && change > at.snapshot;
  if (!is_replacing)
    return fail(StoreError::OutOfOrder,
                "change " + std::to_string(change) + " after " + std::to_string(at.last));
  const long long first = to_sql(change);
  sql << "DELETE FROM changes WHERE number = :n AND change >= :f", soci::use(number), soci::use(first);
  return {};
}

Status Journal::append(soci::session& sql, const std::string& number, const Change& change) {
  Position* at = find_position(sql, number);
  if (!at) return fail(StoreError::UnknownConference, "append");
  if (Status room = make_room(sql, number, *at, change.number); !room) return room;
  touched_.insert(number);
  // Before the new change goes in: a snapshot holds acknowledged changes only.
  if (!at->is_damaged && !doubtful_.contains(number) && at->last - at->snapshot >= snapshot_every_)
    compact(sql, number, *at);
  const long long n = to_sql(change.number);
  const std::string record = write_change(change);
  sql << "INSERT INTO changes (number, change, record) VALUES (:n, :c, :r)", soci::use(number), soci::use(n),
      soci::use(record);
  at->last = change.number;
  if (change.info && change.info->ended) {
    const long long ended = to_sql(change.at);
    sql << "UPDATE conferences SET ended_ms = :e WHERE number = :n", soci::use(ended), soci::use(number);
    positions_.erase(number);
  }
  return {};
}

void Journal::compact(soci::session& sql, const std::string& number, Position& at) {
  std::string snapshot;
  sql << "SELECT snapshot FROM conferences WHERE number = :n", soci::use(number), soci::into(snapshot);
  const Restored restored = restore(snapshot, read_changes(sql, number));
  if (!restored.conference || restored.first_bad || restored.conference->snapshot().last_change != at.last) {
    at.is_damaged = true;
    return;
  }
  const std::string fresh = write_snapshot(restored.conference->snapshot());
  const long long last = to_sql(at.last);
  sql << "UPDATE conferences SET snapshot = :s, snapshot_change = :l WHERE number = :n", soci::use(fresh),
      soci::use(last), soci::use(number);
  sql << "DELETE FROM changes WHERE number = :n AND change <= :l", soci::use(number), soci::use(last);
  at.snapshot = at.last;
  ++snapshots_;
}

Status Journal::load_live(soci::session& sql, LiveConferences& out) {
  std::vector<std::pair<std::string, std::string>> rows;
  std::string number, snapshot;
  soci::statement st =
      (sql.prepare << "SELECT number, snapshot FROM conferences WHERE ended_ms IS NULL ORDER BY number",
       soci::into(number), soci::into(snapshot));
  st.execute();
  while (st.fetch()) rows.emplace_back(number, snapshot);
  for (const auto& [live, column] : rows) {
    Restored restored = restore(column, read_changes(sql, live));
    if (!restored.what.empty()) out.damaged.push_back({live, restored.what, restored.conference.has_value()});
    if (restored.first_bad) set_aside(sql, live, *restored.first_bad);
    if (restored.conference) out.conferences.push_back(*std::move(restored.conference));
  }
  positions_.clear();
  return {};
}

Status Journal::find_conference(soci::session& sql, const std::string& number,
                                std::optional<ConferenceRecord>& out) {
  ConferenceRecord record;
  long long created = 0, ended = 0;
  soci::indicator has_ended = soci::i_null;
  sql << "SELECT title, created_ms, ended_ms FROM conferences WHERE number = :n", soci::use(number),
      soci::into(record.title), soci::into(created), soci::into(ended, has_ended);
  if (!sql.got_data()) return {};
  record.number = number;
  record.created = core::WallTime::from_unix_millis(created);
  if (has_ended == soci::i_ok) record.ended = core::WallTime::from_unix_millis(ended);
  out = record;
  return {};
}

Status Journal::prune_ended_before(soci::session& sql, core::WallTime before, uint64_t& pruned) {
  const long long limit = to_sql(before);
  soci::statement st = (sql.prepare << "DELETE FROM conferences WHERE ended_ms IS NOT NULL AND ended_ms < :b",
                        soci::use(limit));
  st.execute(true);
  pruned = static_cast<uint64_t>(st.get_affected_rows());
  return {};
}

Status Journal::put_setting(soci::session& sql, const std::string& name, const std::string& value) {
  const std::string column = write_column(value);
  sql << "DELETE FROM settings WHERE name = :n", soci::use(name);
  sql << "INSERT INTO settings (name, value) VALUES (:n, :v)", soci::use(name), soci::use(column);
  return {};
}

Status Journal::drop_setting(soci::session& sql, const std::string& name) {
  sql << "DELETE FROM settings WHERE name = :n", soci::use(name);
  return {};
}

Status Journal::list_settings(soci::session& sql, const std::string& prefix, SettingList& out) {
  std::string name, column;
  const int length = static_cast<int>(prefix.size());
  soci::statement st =
      (sql.prepare << "SELECT name, value FROM settings WHERE substr(name, 1, :l) = :p ORDER BY name",
       soci::use(length, "l"), soci::use(prefix, "p"), soci::into(name), soci::into(column));
  st.execute();
  while (st.fetch()) {
    auto value = parse_column(column);
    if (!value) return fail(StoreError::Damaged, "setting " + name + ": " + to_string(value.error()));
    out.emplace_back(name, *std::move(value));
  }
  return {};
}

Status Journal::get_setting(soci::session& sql, const std::string& name, std::optional<std::string>& out) {
  std::string column;
  sql << "SELECT value FROM settings WHERE name = :n", soci::use(name), soci::into(column);
  if (!sql.got_data()) return {};
  auto value = parse_column(column);
  if (!value) return fail(StoreError::Damaged, "setting " + name + ": " + to_string(value.error()));
  out = *std::move(value);
  return {};
}

void Journal::handle_rollback() {
  for (const std::string& number : touched_) positions_.erase(number);
  doubtful_.merge(touched_);
  touched_.clear();
}

void Journal::handle_commit() {
  for (const std::string& number : touched_) doubtful_.erase(number);
  touched_.clear();
}

}  // namespace huitang::store
