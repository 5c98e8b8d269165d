# Asio and Beast are compiled once (asio_impl.cpp, beast_impl.cpp); the rest of the folder sees declarations only.
target_link_libraries(huitang_api ${HUITANG_SCOPE} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
target_compile_definitions(huitang_api ${HUITANG_SCOPE} BOOST_ASIO_SEPARATE_COMPILATION
                           BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
include(${CMAKE_CURRENT_SOURCE_DIR}/src/api/embed/embed.cmake)
