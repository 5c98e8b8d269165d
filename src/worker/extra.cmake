target_link_libraries(huitang_worker ${HUITANG_SCOPE} Threads::Threads)
