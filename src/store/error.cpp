#include "store/store.h"

namespace huitang::store {
namespace {

class StoreErrorCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "store"; }
  std::string message(int code) const override {
    switch (static_cast<StoreError>(code)) {
      case StoreError::NumberTaken: return "conference number is taken";
      case StoreError::UnknownConference: return "no live conference of this number";
      case StoreError::OutOfOrder: return "not the next change of the conference";
      case StoreError::Damaged: return "what is on disk cannot be what was written";
      case StoreError::SchemaTooNew: return "the database was written by a later version";
      case StoreError::Overloaded: return "too much waits to be written";
    }
    return "unknown";
  }
};

}  // namespace

std::error_code make_error_code(StoreError e) {
  static const StoreErrorCategory category;
  return {static_cast<int>(e), category};
}

}  // namespace huitang::store
