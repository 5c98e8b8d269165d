target_link_libraries(huitang_bot ${HUITANG_SCOPE} huitang_asio OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
