find_package(spdlog REQUIRED)
target_link_libraries(huitang_net PRIVATE spdlog::spdlog Threads::Threads)
