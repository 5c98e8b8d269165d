// A subcommand of the `huitang` executable: one row in main.cpp's table, one `<name>_command.cpp` each.
#pragma once

#include <span>

namespace huitang::app {

/// `args` are the words after the subcommand. Returns the process's exit code: 0 done, 1 failed, 2 wrong usage.
using CommandFunction = int (*)(std::span<char* const> args);

int run_serve(std::span<char* const> args);
int run_media(std::span<char* const> args);
int run_doctor(std::span<char* const> args);
int run_admin(std::span<char* const> args);
int run_bot(std::span<char* const> args);
int run_upgrade(std::span<char* const> args);
int run_version(std::span<char* const> args);

}  // namespace huitang::app
