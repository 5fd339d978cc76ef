# LATHE_PYTHON: the interpreter of the private environment that scripts/setup made, or else the system's. Only
# tests use it; those that need packages use the private one.
if(EXISTS ${LATHE_DEPS_DIR}/venv/bin/python)
  set(LATHE_PYTHON ${LATHE_DEPS_DIR}/venv/bin/python)
else()
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(LATHE_PYTHON ${Python3_EXECUTABLE})
endif()
