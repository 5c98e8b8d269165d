// Whatever a database column holds: it is refused, or gives a value that is written back as it was read.
#include "conference/conference.h"
#include "core/bytes.h"
#include "core/check.h"
#include "store/journal_codec.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(core::as_text({data, size}));
  static_cast<void>(store::parse_column(bytes));
  // With a right sum, so that the message itself is reached.
  const std::string column = store::write_column(bytes);
  HUITANG_CHECK(*store::parse_column(column) == bytes);
  if (const auto change = store::parse_change(column)) {
    const auto again = store::parse_change(store::write_change(*change));
    HUITANG_CHECK(again && *again == *change);
  }
  if (const auto state = store::parse_snapshot(column)) {
    const auto again = store::parse_snapshot(store::write_snapshot(*state));
    HUITANG_CHECK(again && *again == *state);
    static_cast<void>(conference::Conference::from_snapshot(*state));
  }
  return 0;
}
