target_link_libraries(huitang_api ${HUITANG_SCOPE} huitang_asio)
include(${CMAKE_CURRENT_SOURCE_DIR}/src/api/embed/embed.cmake)
