target_link_libraries(huitang_bot ${HUITANG_SCOPE} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
