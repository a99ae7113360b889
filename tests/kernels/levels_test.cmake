# usage: cmake -DNM=<nm> -DOBJECTS=<a;b> -P levels_test.cmake
# Each instruction-set level's object must show the linker exactly one symbol, its table. Anything else (an inline function
# of the standard library compiled for AVX-512) could be chosen for code that runs on every machine.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --extern-only --defined-only ${object}
    OUTPUT_VARIABLE symbols OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
  list(LENGTH lines count)
  if(NOT count EQUAL 1 OR NOT symbols MATCHES " T _ZN6boostr3cpu[0-9]+[a-z0-9_]+5tableEv$")
    message(FATAL_ERROR "${object} must define the symbol of its table alone, but defines:\n${symbols}")
  endif()
endforeach()
