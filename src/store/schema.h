// The database's schema, as steps. Steps are only ever added; each is run once, in a transaction of its own.
// Plain SQL that SQLite and PostgreSQL take alike.
#pragma once

#include <array>
#include <string_view>

namespace huitang::store {

/// Statements are separated by ";\n".
inline constexpr std::array kSchemaSteps = {
    // 1: conferences with their snapshots, journals of changes, settings
    std::string_view(R"sql(
CREATE TABLE conferences (
  number TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  snapshot_change BIGINT NOT NULL,
  snapshot TEXT NOT NULL
);
CREATE INDEX conferences_by_end ON conferences (ended_ms);
CREATE TABLE changes (
  number TEXT NOT NULL REFERENCES conferences (number) ON DELETE CASCADE,
  change BIGINT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (number, change)
);
CREATE TABLE damaged_changes (
  number TEXT NOT NULL,
  change BIGINT NOT NULL,
  record TEXT NOT NULL
);
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
)
)sql"),
};

}  // namespace huitang::store
