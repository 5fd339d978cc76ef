# Installs Lathe from its build folder into an empty prefix, then runs the driver there, configures, builds and runs a
# project that only knows that prefix; and checks that every exported library can be linked.
#
#   cmake -D LATHE_BINARY_DIR=... -D WORK_DIR=... -D GENERATOR=... -D CXX_COMPILER=... -D LIBRARIES=a|b
#         -D FLAGS=... -P run.cmake
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(prefix ${WORK_DIR}/prefix)
file(REMOVE_RECURSE ${WORK_DIR})
run("installing" ${CMAKE_COMMAND} --install ${LATHE_BINARY_DIR} --prefix ${prefix})

set(options -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
  -DCMAKE_PREFIX_PATH=${prefix} "-DCMAKE_CXX_FLAGS=${FLAGS}"
  # Nothing may come from the source tree by accident.
  -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON)
run("configuring the consumer" ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/project -B ${WORK_DIR}/build ${options})
run("building the consumer" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run("running the consumer" ${WORK_DIR}/build/consumer)
if(NOT output MATCHES "^net.onnx: weight has 3 dims\n$")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()

# From another folder and without the caller's library path: what it needs, it must find itself.
if(EXISTS ${LATHE_BINARY_DIR}/bin/lathe)
  run("running the installed driver" ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH
    ${CMAKE_COMMAND} -E chdir / ${prefix}/bin/lathe --version)
  if(NOT output MATCHES "^lathe [0-9.]+")
    message(FATAL_ERROR "the installed driver printed: ${output}")
  endif()
endif()

set(digits ${CMAKE_CURRENT_LIST_DIR}/../../examples/digits/digits.onnx)
run("running the example of embedding" ${WORK_DIR}/build/fold ${digits} ${WORK_DIR}/folded.onnx)
if(NOT output MATCHES "bn1: fold-batch-norm with conv1" OR NOT EXISTS ${WORK_DIR}/folded.onnx)
  message(FATAL_ERROR "the example of embedding printed: ${output}")
endif()

run("running the example of a pass" ${WORK_DIR}/build/pow_to_mul ${digits} ${WORK_DIR}/multiplied.onnx
  "prepare,fixpoint(pow-to-mul)")
if(NOT output MATCHES "2#1.1 pow-to-mul: unchanged" OR NOT EXISTS ${WORK_DIR}/multiplied.onnx)
  message(FATAL_ERROR "the example of a pass printed: ${output}")
endif()

run("loading the example of a plugin" ${WORK_DIR}/build/plugin_host ${WORK_DIR}/build/pow_to_mul_plugin.so)
if(NOT output STREQUAL "pow-to-mul\n")
  message(FATAL_ERROR "the program that loads the plugin printed: ${output}")
endif()
if(EXISTS ${prefix}/bin/lathe)
  run("running the example of a plugin" ${prefix}/bin/lathe opt ${digits} -o ${WORK_DIR}/plugged.onnx
    --load-plugin ${WORK_DIR}/build/pow_to_mul_plugin.so --passes "prepare,fixpoint(pow-to-mul)")
  if(NOT output MATCHES "pow-to-mul +unchanged" OR NOT EXISTS ${WORK_DIR}/plugged.onnx)
    message(FATAL_ERROR "the installed driver with the plugin printed: ${output}")
  endif()
endif()

# One program with every installed header and all of every library: what is missing, or does not resolve, shows.
string(REPLACE "|" ";" libraries "${LIBRARIES}")
run("configuring a program with all of ${libraries}" ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/every_library
  -B ${WORK_DIR}/build-every ${options} "-DLIBRARIES=${libraries}")
run("building a program with all of ${libraries}" ${CMAKE_COMMAND} --build ${WORK_DIR}/build-every)
run("running a program with all of ${libraries}" ${WORK_DIR}/build-every/every)
