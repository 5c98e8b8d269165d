target_link_libraries(huitang_crypto ${HUITANG_SCOPE} OpenSSL::Crypto)
