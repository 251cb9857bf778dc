set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

option(MILLRACE_TESTS "Build the tests" ON)
option(MILLRACE_BENCH "Build the benchmarks" ON)
option(MILLRACE_FUZZ "Build the fuzz targets (clang)" OFF)
set(MILLRACE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(millrace_flags INTERFACE)
target_compile_options(millrace_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wold-style-cast -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang 19 warns on designated initialisers that leave fields at their defaults: that is our style.
  # libstdc++ 12 itself uses what C++17 deprecated, in stable_sort; clang reports it where we instantiate.
  target_compile_options(millrace_flags INTERFACE -Wno-missing-designated-field-initializers
    -Wno-deprecated-declarations)
else()
  # g++ 12 reports false positives in inlined library code for these two, and warns on partial
  # designated initialisers, which are our style.
  target_compile_options(millrace_flags INTERFACE
    -Wno-missing-field-initializers -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(LLD ld.lld-19)
  if(LLD)
    add_link_options(--ld-path=${LLD})
  endif()
endif()
