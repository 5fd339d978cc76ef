# How a folder becomes a library or a test program: one function each, so that flags, include paths and
# exports are said once.

# Headers sit beside their sources and are included as "lathe/ir/graph.h": one link makes that true.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/include/lathe SYMBOLIC)

add_library(lathe_flags INTERFACE)
target_compile_options(lathe_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
  # False positives of GCC 12 on plain string assignments (PR 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Results must not depend on what the compiler contracts.
  -ffp-contract=off)
if(LATHE_SANITIZER)
  # -O1 and line tables only: compiling takes half as long as with the build type's own flags.
  add_compile_options(-fsanitize=${LATHE_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1 -g1)
  add_link_options(-fsanitize=${LATHE_SANITIZER})
endif()

# lathe_library(<name> SOURCES ... [PUBLIC targets] [PRIVATE targets])
# Makes Lathe::<name>, exported and installed.
function(lathe_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(target lathe_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(Lathe::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:lathe_flags>)
  install(TARGETS ${target} EXPORT LatheTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  set_property(GLOBAL APPEND PROPERTY LATHE_LIBRARIES ${target})
endfunction()

set(LATHE_TEST_TIMEOUT 600 CACHE STRING "Seconds a single test may take")

# lathe_test(<name> SOURCES ... LINK targets [NO_TSAN | NO_TSAN_TESTS filter]): a GoogleTest program, each of its tests
# known to ctest. NO_TSAN: the thread sanitizer cannot judge these tests, because libraries it did not compile start
# threads in them; NO_TSAN_TESTS: those whose names fit GoogleTest's filter.
function(lathe_test name)
  cmake_parse_arguments(arg "NO_TSAN" "NO_TSAN_TESTS" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  target_include_directories(test_${name} PRIVATE ${CMAKE_BINARY_DIR}/include)
  target_link_libraries(test_${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main lathe_flags)
  target_compile_definitions(test_${name} PRIVATE
    LATHE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LATHE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  include(GoogleTest)
  set(discovery TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
  set(properties PROPERTIES TIMEOUT ${LATHE_TEST_TIMEOUT})
  if(arg_NO_TSAN)
    set(arg_NO_TSAN_TESTS "*")
  endif()
  if(arg_NO_TSAN_TESTS)
    gtest_discover_tests(test_${name} ${discovery} TEST_FILTER "${arg_NO_TSAN_TESTS}" TEST_LIST test_${name}_no_tsan
      ${properties} LABELS no-tsan)
  endif()
  if(NOT arg_NO_TSAN)
    gtest_discover_tests(test_${name} ${discovery} TEST_FILTER "-${arg_NO_TSAN_TESTS}" ${properties})
  endif()
endfunction()
