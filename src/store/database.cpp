#include "store/database.h"

#include <fcntl.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <cerrno>

#include "store/schema.h"
#include "store/store.h"

namespace huitang::store {
namespace {

std::error_code code_of(int sqlite_result) {
  switch (sqlite_result & 0xFF) {
    case SQLITE_FULL: return std::make_error_code(std::errc::no_space_on_device);
    case SQLITE_READONLY: return std::make_error_code(std::errc::read_only_file_system);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return std::make_error_code(std::errc::device_or_resource_busy);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH: return std::make_error_code(std::errc::permission_denied);
    case SQLITE_NOMEM: return std::make_error_code(std::errc::not_enough_memory);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return StoreError::Damaged;
    default: return std::make_error_code(std::errc::io_error);
  }
}

core::Failure failure(std::error_code code, const std::string& what, const std::string& detail) {
  return {code, what + ": " + detail};
}

// SQLite makes its file with the umask's rights; made here first, it is ours alone, and so are its companions
// (-wal).
Status make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return core::err(
        failure({errno, std::generic_category()}, "open database " + path, "cannot be opened for writing"));
  ::close(fd);
  return {};
}

void set_up_connection(soci::session& sql) {
  std::string mode;
  sql << "PRAGMA journal_mode = WAL", soci::into(mode);
  sql << "PRAGMA synchronous = FULL";
  sql << "PRAGMA foreign_keys = ON";
  sql << "PRAGMA busy_timeout = 5000";
  sql << "PRAGMA wal_autocheckpoint = 1000";
}

void run_statements(soci::session& sql, std::string_view statements) {
  while (!statements.empty()) {
    const size_t end = statements.find(";\n");
    const std::string_view one = statements.substr(0, end);
    if (one.find_first_not_of(" \n") != std::string_view::npos) sql << std::string(one);
    statements.remove_prefix(end == std::string_view::npos ? statements.size() : end + 2);
  }
}

int schema_version(soci::session& sql) {
  sql << "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
  int version = 0;
  sql << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
  return version;
}

Status migrate(soci::session& sql) {
  const int newest = static_cast<int>(kSchemaSteps.size());
  const int present = schema_version(sql);
  if (present > newest)
    return core::err(
        failure(StoreError::SchemaTooNew, "open database",
                "schema " + std::to_string(present) + ", known up to " + std::to_string(newest)));
  for (int step = present; step < newest; ++step) {
    const int version = step + 1;
    soci::transaction tr(sql);
    run_statements(sql, kSchemaSteps[static_cast<size_t>(step)]);
    sql << "INSERT INTO schema_version (version) VALUES (:v)", soci::use(version);
    tr.commit();
  }
  return {};
}

}  // namespace

Status guarded(const std::string& what, const std::function<Status()>& work) {
  try {
    return work();
  } catch (const soci::sqlite3_soci_error& e) {
    return core::err(failure(code_of(e.result()), what, e.get_error_message()));
  } catch (const std::exception& e) {
    return core::err(failure(std::make_error_code(std::errc::io_error), what, e.what()));
  }
}

Database::Database(std::unique_ptr<soci::session> session) : session_(std::move(session)) {}
Database::~Database() = default;

core::Result<std::unique_ptr<Database>, core::Failure> Database::open(const std::string& path) {
  if (path.find('"') != std::string::npos)  // SOCI's connection string has no escape for it
    return core::err(
        failure(std::make_error_code(std::errc::invalid_argument), "open database " + path, "quote"));
  if (Status made = make_private_file(path); !made) return core::err(made.error());
  auto session = std::make_unique<soci::session>();
  const Status opened = guarded("open database " + path, [&]() -> Status {
    soci::connection_parameters parameters(soci::sqlite3, "dbname=\"" + path + "\"");
    session->open(parameters);
    set_up_connection(*session);
    return migrate(*session);
  });
  if (!opened) return core::err(opened.error());
  return std::unique_ptr<Database>(new Database(std::move(session)));
}

Status Database::transact(const std::string& what, const std::function<Status(soci::session&)>& work) {
  return guarded(what, [&]() -> Status {
    soci::transaction tr(*session_);  // rolled back unless committed
    const Status done = work(*session_);
    if (!done) return done;
    tr.commit();
    return {};
  });
}

}  // namespace huitang::store
