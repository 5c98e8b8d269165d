#The clients of these tests are real ones : ICE, DTLS and SRTP of the bots.
target_link_libraries(worker_test PRIVATE huitang_bot)
