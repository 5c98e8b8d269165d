target_link_libraries(huitang_srtp PRIVATE OpenSSL::Crypto)
# The multi-buffer library exists on x86-64 only; elsewhere the OpenSSL back-end is the one.
find_library(HUITANG_IPSEC_MB_LIBRARY IPSec_MB)
find_path(HUITANG_IPSEC_MB_INCLUDE intel-ipsec-mb.h)
if(HUITANG_IPSEC_MB_LIBRARY AND HUITANG_IPSEC_MB_INCLUDE)
  target_compile_definitions(huitang_srtp PRIVATE HUITANG_HAS_IPSEC_MB=1)
  target_include_directories(huitang_srtp SYSTEM PRIVATE ${HUITANG_IPSEC_MB_INCLUDE})
  target_link_libraries(huitang_srtp PRIVATE ${HUITANG_IPSEC_MB_LIBRARY})
endif()
