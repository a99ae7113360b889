# Flags that every target of ours is compiled with, and the helpers that define targets.
add_library(boostr_flags INTERFACE)
target_compile_options(boostr_flags INTERFACE -Wall -Wextra $<$<BOOL:${BOOSTR_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in std::string where there are none (https://gcc.gnu.org/PR105651).
  target_compile_options(boostr_flags INTERFACE -Wno-restrict)
endif()
if(BOOSTR_SANITIZE)
  # -O1 over whatever a target asks for: instrumented kernels take three times as long to compile at -O3. What is then
  # not folded must not become unique symbols, which objcopy cannot make local (kernels/CMakeLists.txt), and GCC takes
  # memory for uninitialised that is not (https://gcc.gnu.org/PR105562).
  target_compile_options(boostr_flags INTERFACE
    -fsanitize=${BOOSTR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1 -D_GLIBCXX_ASSERTIONS
    -Wno-maybe-uninitialized $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_link_options(boostr_flags INTERFACE -fsanitize=${BOOSTR_SANITIZE})
endif()
add_library(boostr::flags ALIAS boostr_flags)

# boostr_library(<folder> SOURCES ... PUBLIC <lower layers> PRIVATE <third-party libraries>)
# defines the target boostr::<folder> of one layer.
function(boostr_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(boostr_${folder} STATIC ${arg_SOURCES})
  add_library(boostr::${folder} ALIAS boostr_${folder})
  set_target_properties(boostr_${folder} PROPERTIES EXPORT_NAME ${folder})
  target_include_directories(boostr_${folder} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:include/boostr>)
  target_compile_features(boostr_${folder} PUBLIC cxx_std_20)
  target_link_libraries(boostr_${folder} PUBLIC ${arg_PUBLIC} PRIVATE $<BUILD_INTERFACE:boostr::flags> ${arg_PRIVATE})
endfunction()
