// Any text as huitang.toml: it is refused in words that name the file, or gives settings within their ranges.
#include <variant>

#include "api/settings.h"
#include "core/bytes.h"
#include "core/check.h"

using namespace huitang;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 8192) return 0;
  const auto settings = api::parse_settings(core::as_text({data, size}), "huitang.toml");
  if (!settings) {
    HUITANG_CHECK(settings.error().text.find("huitang.toml") != std::string::npos);
    return 0;
  }
  for (const api::SettingRow& row : api::setting_rows()) {
    const auto* number = std::get_if<api::SettingRow::Number>(&row.member);
    if (number == nullptr) continue;
    const uint32_t value = (*settings).*(*number);
    HUITANG_CHECK(value >= row.min && value <= row.max);
  }
  static_cast<void>(api::check_settings(*settings));
  return 0;
}
