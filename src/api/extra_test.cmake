target_link_libraries(api_test PRIVATE z)
