target_link_libraries(huitang_api ${HUITANG_SCOPE} huitang_asio)
include(${CMAKE_CURRENT_SOURCE_DIR}/src/api/embed/embed.cmake)
# Minutes of optimiser for code that waits for sockets. gcc 12 takes the frame allocator of Asio coroutines for a mismatch.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/api/https_server.cpp ${CMAKE_SOURCE_DIR}/src/api/beast_http.cpp ${CMAKE_SOURCE_DIR}/src/api/web_client_test.cpp
                            PROPERTIES COMPILE_OPTIONS "-O1;-Wno-mismatched-new-delete")
