# scripts/internal/count-tests on what this very ctest writes for a project with a test of every fate.
#
#   cmake -D SCRIPT=... -D WORK_DIR=... -P count_tests.cmake
file(REMOVE_RECURSE ${WORK_DIR})
file(WRITE ${WORK_DIR}/CTestTestfile.cmake [[
add_test(passes "true")
add_test(passes_and_prints "echo" "<skipped message=\"SKIP_\"/> <testcase name=\"x\" status=\"run\">")
add_test(fails "false")
add_test(has_no_program "/nonexistent/program")
add_test(runs_too_long "sleep" "30")
set_tests_properties(runs_too_long PROPERTIES TIMEOUT 1)
add_test(crashes "sh" "-c" "kill -SEGV $$")
add_test(skips_itself "sh" "-c" "exit 77")
set_tests_properties(skips_itself PROPERTIES SKIP_RETURN_CODE 77)
add_test(skips_by_output "echo" "[  SKIPPED ] it")
set_tests_properties(skips_by_output PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
add_test(is_disabled "true")
set_tests_properties(is_disabled PROPERTIES DISABLED ON)
]])
execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --output-junit ${WORK_DIR}/junit.xml
  WORKING_DIRECTORY ${WORK_DIR} OUTPUT_QUIET ERROR_QUIET)
execute_process(COMMAND ${SCRIPT} ${WORK_DIR}/junit.xml OUTPUT_VARIABLE counts RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT counts STREQUAL "2 4 3\n")
  message(FATAL_ERROR "expected '2 4 3' (passed failed skipped), got '${counts}', status ${status}")
endif()
