target_link_libraries(huitang_bot ${HUITANG_SCOPE} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
# The same as in src/api/extra.cmake, to the letter: these change the layout of Asio's classes, and both folders are
# linked into one executable. Asio's own code comes from there (asio_impl.cpp, beast_impl.cpp).
target_compile_definitions(huitang_bot PRIVATE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                           BOOST_ASIO_NO_DEPRECATED)
