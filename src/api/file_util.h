// Small files of the data folder: keys, certificates, hashes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/result.h"

namespace huitang::api {

/// Absent when there is none; Failure when it is there and cannot be read.
core::Result<std::optional<std::string>, core::Failure> read_small_file(const std::string& path);
/// Whole or not at all: written beside, synced, renamed; mode 0600.
core::Result<void, core::Failure> write_private_file(const std::string& path, std::string_view content);
/// Makes the folder (and those above it) with mode 0700 when it is absent.
core::Result<void, core::Failure> make_private_folder(const std::string& path);

core::Failure last_failure(std::string context);

}  // namespace huitang::api
