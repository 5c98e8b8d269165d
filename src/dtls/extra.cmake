target_link_libraries(huitang_dtls PRIVATE OpenSSL::SSL OpenSSL::Crypto)
