// What translated code reaches through rsp: the frame itself, and at constant distances from it the interpreter's
// registers and the MMU's tables (Layout). Exits push the addresses of their records below what the frame keeps.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

#include "base/integers.h"
#include "cpu/interpret/interpreter.h"
#include "cpu/translate/access_plan.h"
#include "cpu/translate/assembler.h"
#include "cpu/translate/exit.h"
#include "door/time_line.h"
#include "x86/state.h"

namespace pollux::cpu::translate {

struct Translation;

// Where a jump to a linear address goes in one context.
struct JumpEntry {
  u64 linear = 0;
  const u8* code = nullptr;
};
// kSeparate: to the address's separate translation; kOfShort: to that of short traces. kNone: of an empty entry.
enum class JumpKind : u8 { kJump, kOfShort, kSeparate, kNone };
// As code computes it, an entry's place is a part of linear ^ linear << 1 ^ salt, ^ the kind, so that nothing needs to
// be scaled, and what is near each other shares a line of the host's cache. The salt stands for the context: its view
// and the number of its space (spaces.h), which is not 0.
//
// The salt is whole in the place, and the kind in two bits of it where the salt is not. So whatever a guest jumps to,
// what the entry in that place is of has its context and kind if it has its address.
inline constexpr unsigned kJumpEntries = 1 << 16;  // u16 counts them
inline constexpr u8 kJumpShift = 4;
inline constexpr u8 kViewShiftInSalt = 6, kSpaceShiftInSalt = 8;
inline constexpr unsigned kSpaces = 1 << 12;
inline constexpr u32 kSaltMask = (kSpaces * 4 - 1) << kViewShiftInSalt;
static_assert(kSaltMask < kJumpEntries << kJumpShift && (kSaltMask & 3 << kJumpShift) == 0);
inline constexpr unsigned jump_index(u64 linear, u32 salt, JumpKind kind) {
  return (unsigned((linear ^ linear << 1 ^ salt) >> kJumpShift) & (kJumpEntries - 1)) ^ unsigned(kind);
}
inline constexpr u32 salt_of_jump(unsigned index, u64 linear) {
  return u32(u64{index} << kJumpShift ^ linear ^ linear << 1) & kSaltMask;
}
// What an empty entry holds.
inline constexpr u64 address_of_none(unsigned index) {
  const u64 wanted = (index ^ unsigned(JumpKind::kNone)) & 3;
  return (wanted & 1) << 3 | (wanted & 2) << 4;
}

// Where SYSCALL and SYSRET lead: what the frame then holds.
struct Transfer {
  u32 salt = 0;
  u32 epoch = 0;
  u32 written = 0;  // whether translated code may make it
};

class Translator;

inline constexpr u8 kViewShiftInContext = 58;
inline constexpr u8 kUpperShiftInContext = 60;
inline constexpr u8 kFlatShiftInContext = 61;
inline constexpr u64 kViewInContext = u64{3} << kViewShiftInContext;

inline constexpr unsigned kHeats = 1 << 16;
inline constexpr i32 kNeverHot = std::numeric_limits<i32>::max();

// Whether each trace counts its instructions once more, for nothing: to be measured.
#ifdef POLLUX_COUNT_TWICE
inline constexpr bool kCountsTwice = true;
#else
inline constexpr bool kCountsTwice = false;
#endif

// Where rsp is in the frame, which is also what its low half says to BEXTR (SDM vol. 2): an address's bits that are the
// index in the TLB, the first one and how many.
inline constexpr i32 kRspInFrame = mmu::kTlbIndexBits << 8 | memory::kPageShift;
using Budget [[gnu::aligned(4)]] = i64;  // there

struct alignas(1 << 16) Frame {
  std::array<std::byte, kRspInFrame> below;
  // What short displacements reach:
  Budget budget = 0;                  // instructions that may begin before the end of the run, less kMargin
  u32 epoch = 0;                      // names the context, the view in the low bits; links to other pages hold it
  u64 page = 0;                       // linear address of the page that the running trace begins in
  u32 salt = 0;                       // of jumps
  u16 arithmetic = 0;                 // guest flags (interpret/host_flags.h), when they are not in the host's
  u16 pending = Record::kNone;        // offset of the instruction whose flags a trace was entered without
  std::array<u64, kGroups> groups{};  // host addresses of ranges (access_plan.h)
  std::array<u64, kGuestsInMemory> guests{};  // registers
  std::array<u64, 2> kept{};                  // where a call leads, and the place of its jump entry

  i32 relinks = 0;             // how many links may still miss before one is made new
  u64 target = 0;              // of a jump that is being made
  u64 value = 0;               // an operand in transit
  u64 shifted = 0;             // what a shift has shifted, whose flags are made again at exits
  const u8* caller = nullptr;  // of a thunk, while the translator serves the thunk's exit
  Transfer system_call, system_return;
  u64 end = 0;                                // position at which the budget would be used up
  const door::TimeLine* time_line = nullptr;  // Bus's
  i64 second_budget = std::numeric_limits<i64>::max();  // where code counts twice
  u64 address = 0;                    // kAddressReg and kScratch, while the translator serves an exit
  u64 scratch = 0;
  const u8* next = nullptr;  // code that goes on
  u64 host_rsp = 0;
  // Serves the exit: the code that goes on, or nullptr: the run ends.
  const u8* (*serve)(Frame*, const u8* record) = nullptr;
  Translator* owner = nullptr;
  std::array<JumpEntry, kJumpEntries> jumps{};
  std::array<i32, kHeats> heat{};  // how often a short trace may still run; shared when there are many
};

// A member, by what code has in rsp; below: how many bytes rsp is below where it is otherwise.
inline constexpr Address in_frame(u64 member, i32 below = 0) { return {kFrameReg, i32(member) - kRspInFrame + below}; }

inline constexpr Address guest_in_frame(unsigned number, i32 below = 0) {
  POLLUX_CHECK(kHostOf[number] == kInMemory, "the others are in registers");
  return in_frame(offsetof(Frame, guests) + place_in_memory(number) * 8, below);
}

// Distances from rsp, and what else the code that is written depends on.
struct Layout {
  i32 gpr = 0, xmm = 0, rflags = 0, fs_base = 0, gs_base = 0, kernel_gs_base = 0;
  i32 star = 0, lstar = 0, sfmask = 0, tsc_adjust = 0, tsc_aux = 0;
  std::array<i32, 5> cr{};  // CR1 is none
  i32 segment = 0;          // the first x86::Segment
  i32 attention = 0;        // Interpreter's
  i32 arithmetic = 0;       // Interpreter's, between runs of code
  struct Tlb {
    i32 tags[2] = {};  // [to be written]
    i32 hosts = 0, distances = 0;
  };
  std::array<Tlb, mmu::kViews> tlb{};
  bool has_bmi = false;  // the host: BMI1 and BMI2
  // What the base of the host's GS adds, so that code needs no displacement for the table that is looked at most; 0:
  // the host keeps no base.
  i32 in_gs = 0;
};

}  // namespace pollux::cpu::translate
