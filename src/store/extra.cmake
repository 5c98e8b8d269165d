# SOCI and SQLite are known in this folder only.
target_link_libraries(huitang_store ${HUITANG_SCOPE} soci_core soci_sqlite3 sqlite3 Threads::Threads)
