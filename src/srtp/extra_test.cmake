# libsrtp2 is the oracle of the tests; nothing else links it.
pkg_check_modules(LIBSRTP2 REQUIRED IMPORTED_TARGET libsrtp2)
target_link_libraries(srtp_test PRIVATE PkgConfig::LIBSRTP2 OpenSSL::Crypto)
