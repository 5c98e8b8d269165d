target_link_libraries(dtls_test PRIVATE OpenSSL::SSL OpenSSL::Crypto)
