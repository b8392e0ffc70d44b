# Builds the library with cargo, lays out its .so chain in <build>/lib and defines
#   glance_store::glance_store   the shared library
#   glance_store::static         the static one
# Cargo decides itself what is out of date, so it is asked on every build.

find_program(CARGO_EXECUTABLE cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
if(NOT CARGO_EXECUTABLE)
  message(FATAL_ERROR "cargo not found: install Rust, for example with rustup (https://rustup.rs), "
                      "or set CARGO_EXECUTABLE")
endif()

if(DEFINED ENV{CARGO_TARGET_DIR})
  set(default_target_dir "$ENV{CARGO_TARGET_DIR}")
else()
  set(default_target_dir "${CMAKE_CURRENT_SOURCE_DIR}/target")
endif()
set(GLANCE_STORE_TARGET_DIR "${default_target_dir}" CACHE PATH "Cargo's target directory")
set(GLANCE_STORE_CARGO_FLAGS "" CACHE STRING "More options for cargo build, such as --offline")

# One cargo run serves one configuration; multi-configuration generators get the release.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(cargo_profile dev)
  set(cargo_output "${GLANCE_STORE_TARGET_DIR}/debug")
else()
  set(cargo_profile release)
  set(cargo_output "${GLANCE_STORE_TARGET_DIR}/release")
endif()

# The name that build.rs gives the library; it changes with the ABI.
set(GLANCE_STORE_SONAME libglance_store.so.0)
# What `rustc --print native-static-libs` names; a test links the static library with it.
set(GLANCE_STORE_NATIVE_LIBS gcc_s util rt pthread m dl c)

set(library_dir "${CMAKE_CURRENT_BINARY_DIR}/lib")
set(GLANCE_STORE_SHARED "${library_dir}/libglance_store.so.${PROJECT_VERSION}")
set(GLANCE_STORE_STATIC "${library_dir}/libglance_store.a")
separate_arguments(cargo_flags NATIVE_COMMAND "${GLANCE_STORE_CARGO_FLAGS}")

add_custom_target(
  glance_store_library ALL
  COMMAND
    "${CMAKE_COMMAND}" -E env "CARGO_TARGET_DIR=${GLANCE_STORE_TARGET_DIR}" --
    "${CARGO_EXECUTABLE}" build --lib --profile ${cargo_profile} ${cargo_flags}
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${library_dir}"
  COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${cargo_output}/libglance_store.so" "${GLANCE_STORE_SHARED}"
  COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${cargo_output}/libglance_store.a" "${GLANCE_STORE_STATIC}"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink libglance_store.so.${PROJECT_VERSION}
          "${library_dir}/${GLANCE_STORE_SONAME}"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink ${GLANCE_STORE_SONAME} "${library_dir}/libglance_store.so"
  BYPRODUCTS "${GLANCE_STORE_SHARED}" "${GLANCE_STORE_STATIC}" "${library_dir}/${GLANCE_STORE_SONAME}"
             "${library_dir}/libglance_store.so"
  WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
  COMMENT "Building the library (cargo, ${cargo_profile} profile)"
  USES_TERMINAL VERBATIM)

add_library(glance_store::glance_store SHARED IMPORTED GLOBAL)
set_target_properties(
  glance_store::glance_store
  PROPERTIES IMPORTED_LOCATION "${GLANCE_STORE_SHARED}" IMPORTED_SONAME ${GLANCE_STORE_SONAME}
             INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_SOURCE_DIR}/include")
add_dependencies(glance_store::glance_store glance_store_library)

add_library(glance_store::static STATIC IMPORTED GLOBAL)
set_target_properties(
  glance_store::static
  PROPERTIES IMPORTED_LOCATION "${GLANCE_STORE_STATIC}"
             INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_SOURCE_DIR}/include"
             INTERFACE_LINK_LIBRARIES "${GLANCE_STORE_NATIVE_LIBS}")
add_dependencies(glance_store::static glance_store_library)
