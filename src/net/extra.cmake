find_package(spdlog REQUIRED)
target_link_libraries(huitang_net PRIVATE spdlog::spdlog Threads::Threads)

# Asio and Beast, compiled once for all who use them (the control plane and bots, which share one executable): a second,
# header-only copy beside it would break the one-definition rule.
add_library(huitang_asio STATIC ${CMAKE_SOURCE_DIR}/src/net/asio/asio_impl.cpp ${CMAKE_SOURCE_DIR}/src/net/asio/beast_impl.cpp)
target_compile_definitions(huitang_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                           BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(huitang_asio PUBLIC OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
