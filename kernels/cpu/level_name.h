#pragma once

#define BOOSTR_STRING_(x) #x
#define BOOSTR_STRING(x) BOOSTR_STRING_(x)

namespace boostr::cpu::BOOSTR_ISA {

inline constexpr const char* level_name = BOOSTR_STRING(BOOSTR_ISA);

}  // namespace boostr::cpu::BOOSTR_ISA
