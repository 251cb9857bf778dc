execute_process(COMMAND ${PYTHON} ${SOURCE}/base/config/generate.py docs ${OUT} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "base/config/generate.py failed")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${OUT} ${SOURCE}/docs/configuration.md
  RESULT_VARIABLE differs)
if(differs)
  message(FATAL_ERROR "docs/configuration.md is old: base/config/generate.py docs docs/configuration.md")
endif()
