# How programs over the library, and their man pages, are installed.

# install_program(TARGET DIRECTORY COMPONENT): DIRECTORY is below the prefix, or absolute.
function(install_program target directory component)
  # A prefix of its own is no place where the loader looks; /usr is.
  if(IS_ABSOLUTE "${directory}")
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(place "${directory}")
  else()
    file(RELATIVE_PATH to_lib "/prefix/${directory}" "/prefix/${CMAKE_INSTALL_LIBDIR}")
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_lib}")
    set(place "\${CMAKE_INSTALL_PREFIX}/${directory}")
  endif()
  install(TARGETS ${target} DESTINATION "${directory}" COMPONENT ${component})
  install(
    CODE "if(CMAKE_INSTALL_PREFIX MATCHES \"^/usr/?$\")
            file(RPATH_REMOVE FILE \"\$ENV{DESTDIR}${place}/$<TARGET_FILE_NAME:${target}>\")
          endif()"
    COMPONENT ${component})
endfunction()

# install_manual(NAME COMPONENT): man/NAME.1, compressed.
function(install_manual name component)
  find_program(GZIP_EXECUTABLE gzip REQUIRED)
  set(manual "${CMAKE_CURRENT_BINARY_DIR}/${name}.1")
  add_custom_command(
    OUTPUT "${manual}.gz"
    COMMAND "${CMAKE_COMMAND}" -E copy "${CMAKE_CURRENT_SOURCE_DIR}/man/${name}.1" "${manual}"
    COMMAND "${GZIP_EXECUTABLE}" -9nf "${manual}"
    DEPENDS man/${name}.1 VERBATIM)
  add_custom_target(${name}-manual ALL DEPENDS "${manual}.gz")
  install(FILES "${manual}.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT ${component})
endfunction()
