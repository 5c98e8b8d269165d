// One connection to the database: opening it, its schema, transactions, and its errors as core::Failure. SOCI
// stays behind this header and journal.cpp; its exceptions end here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/result.h"

namespace soci {
class session;
}

namespace huitang::store {

using Status = core::Result<void, core::Failure>;

class Database {
 public:
  /// Opens or makes the file (readable by its owner only, for it holds keys) and migrates its schema.
  static core::Result<std::unique_ptr<Database>, core::Failure> open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs `work` in one transaction: it is durable when success is returned, and has not happened otherwise.
  /// `what` names the work in the failure's context.
  Status transact(const std::string& what, const std::function<Status(soci::session&)>& work);

 private:
  explicit Database(std::unique_ptr<soci::session>);
  std::unique_ptr<soci::session> session_;
};

/// Runs `work`, giving what SOCI throws as a Failure.
Status guarded(const std::string& what, const std::function<Status()>& work);

}  // namespace huitang::store
