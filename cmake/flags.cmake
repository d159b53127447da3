# Flags that every file is compiled with. x86-64-v2 is the level of the guest's processor model, so that every
# guest instruction that is executed on the host's units exists there. Contraction of floating point is off and
# AVX is never used: translated and interpreted code must give the same bits.
add_library(pollux_flags INTERFACE)
target_compile_options(pollux_flags INTERFACE
  -march=x86-64-v2 -mno-avx -ffp-contract=off -fno-strict-aliasing -fno-omit-frame-pointer
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers
  # GCC 12 sees uninitialised members in moved variants when it optimises.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${POLLUX_WERROR}>:-Werror>)
# libstdc++ offers std::expected only to a compiler that claims the concepts of C++20 in full; clang before 19 does not
# claim them, and compiles std::expected all the same.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  target_compile_options(pollux_flags INTERFACE -Wno-builtin-macro-redefined -Wno-macro-redefined -D__cpp_concepts=202002L)
endif()
target_compile_definitions(pollux_flags INTERFACE POLLUX_VERSION="${PROJECT_VERSION}" $<$<BOOL:${POLLUX_COUNT_TWICE}>:POLLUX_COUNT_TWICE>)
target_include_directories(pollux_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
