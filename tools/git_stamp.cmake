# Run at each build: writes OUTPUT with the commit of SOURCE_DIR, only when it differs from what is there.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=10 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
set(stamp "")
if(NOT failed)
  execute_process(COMMAND git -C ${SOURCE_DIR} status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    string(APPEND commit "+")
  endif()
  set(stamp " (git ${commit})")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define LATHE_GIT_STAMP \"${stamp}\"\n")
