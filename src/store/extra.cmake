# SOCI and SQLite are known in this folder only.
target_link_libraries(huitang_store ${HUITANG_SCOPE} soci_core soci_sqlite3 sqlite3 Threads::Threads)
# The packaged SOCI hides the type information that UBSan's vptr check asks for.
if(HUITANG_SANITIZE STREQUAL "address")
  target_compile_options(huitang_store PRIVATE -fno-sanitize=vptr)
endif()
