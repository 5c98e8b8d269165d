pkg_check_modules(VPX REQUIRED IMPORTED_TARGET vpx)
pkg_check_modules(OPUS REQUIRED IMPORTED_TARGET opus)
pkg_check_modules(FREETYPE REQUIRED IMPORTED_TARGET freetype2)
target_link_libraries(huitang_media ${HUITANG_SCOPE} PkgConfig::VPX PkgConfig::OPUS PkgConfig::FREETYPE)
