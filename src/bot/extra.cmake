target_link_libraries(huitang_bot ${HUITANG_SCOPE} huitang_asio)
