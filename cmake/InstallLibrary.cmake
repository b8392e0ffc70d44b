# Installs the library, its header, and what pkg-config and find_package need.
# Components: runtime, development; the tools install themselves as "tools".

# Debian's multiarch directories serve /usr/local too, and GNUInstallDirs knows only /usr.
if(PROJECT_IS_TOP_LEVEL AND EXISTS /etc/debian_version AND CMAKE_LIBRARY_ARCHITECTURE
   AND CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?/?$")
  set(CMAKE_INSTALL_LIBDIR "lib/${CMAKE_LIBRARY_ARCHITECTURE}" CACHE PATH "Object code libraries")
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/glance_store")

# The .pc file finds its prefix from where it lies, so the tree may be moved.
file(RELATIVE_PATH GLANCE_STORE_PC_TO_PREFIX "/prefix/${pkgconfig_dir}" "/prefix")
string(REGEX REPLACE "/$" "" GLANCE_STORE_PC_TO_PREFIX "${GLANCE_STORE_PC_TO_PREFIX}")
list(TRANSFORM GLANCE_STORE_NATIVE_LIBS PREPEND "-l" OUTPUT_VARIABLE native_flags)
list(JOIN native_flags " " GLANCE_STORE_PC_PRIVATE)
configure_file(include/glance_store.pc.in glance_store.pc @ONLY)

configure_package_config_file(
  include/glance_store-config.cmake.in glance_store-config.cmake
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(glance_store-config-version.cmake COMPATIBILITY SameMinorVersion)

install(FILES "${GLANCE_STORE_SHARED}" "${library_dir}/${GLANCE_STORE_SONAME}"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime)
# What install(TARGETS) does for the programs when `cmake --install --strip` or cpack asks.
install(
  CODE "if(CMAKE_INSTALL_DO_STRIP)
          set(library \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libglance_store.so.${PROJECT_VERSION}\")
          execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded \"\${library}\" COMMAND_ERROR_IS_FATAL ANY)
        endif()"
  COMPONENT runtime)
install(FILES "${library_dir}/libglance_store.so" "${GLANCE_STORE_STATIC}"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(FILES include/glance_store.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/glance_store.pc"
        DESTINATION "${pkgconfig_dir}" COMPONENT development)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/glance_store-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/glance_store-config-version.cmake"
        DESTINATION "${package_dir}" COMPONENT development)
