// Which host register holds which guest register while translated code runs.
//
//   guest rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r12 r13   the same host register
//   guest rsp                                             host r11
//   guest r11 r14 r15                                     in memory, in the frame
//   host rsp                                              the Frame: state, tables and the stack of exits
//   host r14, r15                                         scratch
//   guest xmm0-15                                         the same host register
//
// rax, rcx and rdx are where instructions want them. The three guest registers in memory are those that compilers
// reach for last.
#pragma once

#include <algorithm>
#include <array>

#include "base/integers.h"

namespace pollux::cpu::translate {

using Reg = u8;

inline constexpr Reg kRaxReg = 0, kRcxReg = 1, kRdxReg = 2, kRspReg = 4, kRbpReg = 5;
inline constexpr Reg kFrameReg = 4;
inline constexpr Reg kGuestRsp = 11;
inline constexpr Reg kAddressReg = 14;  // a guest address, then the host address of the operand
inline constexpr Reg kScratch = 15;
inline constexpr Reg kInMemory = 0xff;

inline constexpr std::array<Reg, 16> kHostOf = {0, 1, 2,  3,         kGuestRsp, 5,  6,         7,
                                                8, 9, 10, kInMemory, 12,        13, kInMemory, kInMemory};
inline constexpr unsigned kGuestsInMemory = std::ranges::count(kHostOf, kInMemory);
// Which of them it is, in the order of their numbers.
inline constexpr unsigned place_in_memory(unsigned number) {
  return unsigned(std::count(kHostOf.begin(), kHostOf.begin() + number, kInMemory));
}

}  // namespace pollux::cpu::translate
