# Puts the built web pages into the library. The tool runs on every build and rewrites its output only when the
# pages changed; without pages the table is empty and `/` says so.
set(HUITANG_WEB_DIST ${CMAKE_SOURCE_DIR}/web/dist CACHE PATH "the built pages to embed (may be absent)")
set(pages_dir ${CMAKE_BINARY_DIR}/pages)
add_executable(embed_pages ${CMAKE_SOURCE_DIR}/src/api/embed/embed_pages.cpp)
target_link_libraries(embed_pages PRIVATE z brotlienc OpenSSL::Crypto)
add_custom_target(huitang_pages
  COMMAND embed_pages ${HUITANG_WEB_DIST} ${pages_dir}
  BYPRODUCTS ${pages_dir}/pages.cpp
  DEPENDS embed_pages COMMENT "Embedding pages" VERBATIM)
add_library(huitang_embedded_pages STATIC ${pages_dir}/pages.cpp)
target_include_directories(huitang_embedded_pages PRIVATE ${CMAKE_SOURCE_DIR}/src)
add_dependencies(huitang_embedded_pages huitang_pages)
target_link_libraries(huitang_api ${HUITANG_SCOPE} huitang_embedded_pages)
