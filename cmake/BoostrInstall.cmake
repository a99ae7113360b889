# `cmake --install`: the program, the libraries with their headers, and the package that find_package(boostr) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(boostr_layers kernels ops parallel models trainer launch)
foreach(layer IN LISTS boostr_layers)
  install(TARGETS boostr_${layer} EXPORT boostr-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${layer}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/boostr FILES_MATCHING PATTERN "*.h")
endforeach()
install(TARGETS boostr-train RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

set(boostr_cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/boostr)
install(EXPORT boostr-targets NAMESPACE boostr:: DESTINATION ${boostr_cmake_folder})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/boostrConfig.cmake.in
  ${PROJECT_BINARY_DIR}/boostrConfig.cmake INSTALL_DESTINATION ${boostr_cmake_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/boostrConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/boostrConfig.cmake ${PROJECT_BINARY_DIR}/boostrConfigVersion.cmake
  DESTINATION ${boostr_cmake_folder})
