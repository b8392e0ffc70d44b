# `cpack -G DEB` makes these packages: the library, what programs are built with, the tools, and
# where nbdkit's header is, the nbdkit plugin.

if(NOT GLANCE_STORE_INSTALL OR NOT GLANCE_STORE_BUILD_TOOLS)
  return()
endif()

set(CPACK_PACKAGE_NAME glance-store)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(GLANCE_STORE_PACKAGE_CONTACT "glance-store developers <developers@glance-store.invalid>"
    CACHE STRING "Maintainer of the Debian packages")
set(CPACK_PACKAGE_CONTACT "${GLANCE_STORE_PACKAGE_CONTACT}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development tools)
if(TARGET nbdkit-glance-store-plugin)
  list(APPEND CPACK_COMPONENTS_ALL nbdkit)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
# The library is not installed while the package of the tools is being made.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${library_dir}")
# Every package's description brings its own summary as the first line.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libglance-store0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_SOURCE_DIR}/cmake/triggers")
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
    "store virtual machine images in any backend - shared library
Puts disk images into the backends of OpenStack's image service and gets them
back, behind a C interface: one configuration, one set of calls, whatever
holds the data. Reads the configuration and the images of glance_store.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libglance-store-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libglance-store0 (= ${PROJECT_VERSION}-1)")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "store virtual machine images in any backend - development files
The header, the static library, and the files for pkg-config and CMake that
programs using libglance-store0 are built with.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME glance-store-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libglance-store0 (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION
    "store virtual machine images in any backend - command line
The glance-store command adds, fetches, measures, copies and removes disk
images in the backends that libglance-store0 speaks to.")

set(CPACK_DEBIAN_NBDKIT_PACKAGE_NAME nbdkit-plugin-glance-store)
set(CPACK_DEBIAN_NBDKIT_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_NBDKIT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_NBDKIT_PACKAGE_DEPENDS "libglance-store0 (>= ${PROJECT_VERSION}), nbdkit (>= 1.26)")
set(CPACK_DEBIAN_NBDKIT_DESCRIPTION
    "store virtual machine images in any backend - nbdkit plugin
Serves a disk image over NBD from the backend that holds it, so that virtual
machines boot from it and QEMU's tools read it without a copy.")

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER "${component}" variable)
  install(FILES cmake/copyright
          DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${variable}_PACKAGE_NAME}"
          COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()

include(CPack)
