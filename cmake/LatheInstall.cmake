# Installs headers, libraries and the package files behind find_package(Lathe).
include(CMakePackageConfigHelpers)
set(folders support ir quant eval passes frontends backends)
if(LATHE_RUNTIME)
  list(APPEND folders flows)
  # The rest of runtime/ shows OpenVINO's types, which embedders need not have.
  install(FILES ${PROJECT_SOURCE_DIR}/runtime/openvino/engine.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lathe/runtime/openvino)
endif()
foreach(folder ${folders})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lathe
    FILES_MATCHING PATTERN "*.h" PATTERN "internal" EXCLUDE)
endforeach()
install(EXPORT LatheTargets NAMESPACE Lathe:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Lathe)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/LatheConfig.cmake.in
  ${CMAKE_BINARY_DIR}/LatheConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Lathe)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/LatheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/LatheConfig.cmake ${CMAKE_BINARY_DIR}/LatheConfigVersion.cmake
    cmake/LathePlugins.cmake cmake/plugin_symbols.txt
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Lathe)
