target_sources(bot_test PRIVATE ${CMAKE_SOURCE_DIR}/src/api/asio_impl.cpp ${CMAKE_SOURCE_DIR}/src/api/beast_impl.cpp)
target_compile_definitions(bot_test PRIVATE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                           BOOST_ASIO_NO_DEPRECATED)
