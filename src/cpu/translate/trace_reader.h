// The first half of translation: reads guest instructions into a trace, decides how each is to be written, and where
// the flags matter.
//
// A trace begins at any instruction of 64-bit code, or of the 32-bit code that flat32.h tells of. It follows jumps
// within the pages that it may read, goes on behind conditional branches the way that the code went when somebody
// looked (the other way is a side exit), and round a loop at its beginning several times. Without a look it runs on
// through forward branches, and ends behind another backward one. It follows a call that was seen (Reach) and soon
// returns, and a jump or call through memory or a register that always led to the same place. It ends behind other
// calls and returns, a jump elsewhere, a branch back into itself or to the head of a loop that does not fit, or an
// instruction that may change what the following ones mean, before an instruction that does not exist or crosses a
// page, or when it has gone as far as it may.
#pragma once

#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "cpu/decode/decode.h"
#include "cpu/interpret/instruction_reader.h"
#include "cpu/translate/access_plan.h"
#include "cpu/translate/flag_effect.h"
#include "memory/address.h"

namespace pollux::cpu::translate {

// How the writer writes an instruction.
enum class Action : u8 {
  kInterpret,  // it does not: the trace ends before it
  kNothing,    // no effect here: NOP, fences, prefetches
  kSame,       // the same instruction with other registers
  kLea,
  kShift,  // by a number that is not one
  kShiftByCl,
  kDoubleShift,  // SHLD, SHRD
  kScan,         // BSF, BSR
  kExchange,     // XCHG with memory
  kDivide,
  kBitString,   // BT, BTS, BTR, BTC with memory and a register
  kSystemFlag,  // CLD, STD, CLI
  kSti,
  kSwapGs,
  kReadState,    // control registers, selectors, the bases of FS and GS
  kWriteBase,    // WRFSBASE, WRGSBASE
  kReadCounter,  // RDTSC, RDTSCP
  kFollowed,     // JMP to the step that comes next
  kPush,
  kPushFlags,
  kPop,
  kLeave,
  kRepeat,  // REP STOS, REP MOVS
  kLent,    // the interpreter executes it, and the trace goes on
  kBranch,  // Jcc
  kJump,    // JMP, direct
  kCall,    // direct
  kReturn,
  kJumpIndirect,
  kCallIndirect,
  kSystemCall,    // SYSCALL
  kSystemReturn,  // SYSRET to 64-bit code
  kChangeAc,      // CLAC, STAC: what follows is another mode's
  kLentLast,      // the interpreter executes it, and the trace ends
};

struct Step {
  decode::Decoded d;
  const interpret::Binding* row = nullptr;
  FlagEffect flags;
  i32 offset = 0;  // from the start of the page where the trace begins
  Action action = Action::kInterpret;
  bool needed_before = false;  // the flags as they are before it: by a later instruction, or by a possible exit
  bool needed_after = false;
  bool taken = false;     // kBranch, kCall, kReturn: the step that comes next is where it leads
  bool enters = false;    // the trace's first step in its page, which is not that of the beginning
  Access operand, stack;  // of memory
  i32 end() const { return offset + d.length; }
};

inline constexpr u32 kViewShiftInMode = 8;

// A page of code that a trace may read.
struct CodePage {
  ByteSpan bytes;  // all of them; empty: the trace may not
  u32 number = 0;  // physical
};
// distance: from the page where the trace begins, which is at 0 and may always be read.
using PageAt = std::function<CodePage(i32 distance)>;
inline constexpr i32 kFarthestPage = 1 << 30;  // so that what lies beside the code there can be named from here

// What somebody saw: distances from the start of the page, of what was executed one after the other.
using Seen = std::span<const i32>;
inline constexpr unsigned kLooks = 3;  // that somebody has, before a trace is made that follows what was seen
inline constexpr i32 kElsewhere = std::numeric_limits<i32>::min();  // farther away, or nobody knows

// How far a trace may go.
struct Reach {
  unsigned steps = 0;
  unsigned straight = 0;  // behind those, while no branch comes
  unsigned turns = 1;     // of a loop at its beginning
  bool group = true;      // accesses share look-ups
  bool compact = false;   // written with few bytes
  bool unseen_calls = false;  // follows calls that nobody has seen
};

struct Trace {
  static constexpr unsigned kMaxSteps = 120;  // a link gives back as many by an immediate of a signed byte
  std::vector<Step> steps;
  struct Page {
    i32 distance;
    u32 number;
  };
  std::vector<Page> pages;  // that steps enter
  i32 end = 0;  // offset of what follows the last step; that of a page where the trace is not, if it is there
  unsigned turns = 0;      // of the loop at its beginning, that it went on with
  bool interpret = false;  // what follows is for the interpreter
  bool crosses = false;    // what follows reaches into the next page
  // Where an indirect jump or call or a return, which is the last step, is likely to lead; from the page's start. A
  // jump through a cell beside the code leads from a library to another, and always to the same place; of a call or a
  // return that is believed when every look has seen it.
  i32 guess = kElsewhere;
};

// mode: cpu/interpret/mode.h with its flat bits, and the view from kViewShiftInMode on. reach: at most kMaxSteps. seen:
// where the interpreter's blocks begin (a branch ends one). trace: becomes what was read; its room is used again.
void read_trace(interpret::InstructionReader& reader, const PageAt& page_at, u16 offset, u32 mode, const Reach& reach,
                Seen seen, Trace& trace);

// One instruction that crosses a page, with its bytes. trace.steps is empty when it is for the interpreter.
void read_crossing(interpret::InstructionReader& reader, ByteSpan bytes, u16 offset, u32 mode, Trace& trace);

// Whether the writer may look at guest memory for it, or leave the trace before it has retired.
bool may_exit(const Step& step);
// All of the arithmetic flags, whatever they were. (A shift by CL may leave them as they were.)
bool overwrites_flags(const Step& step);
// Offset of a direct branch's target, relative to the page's start; may be outside.
i64 branch_target(const Step& step);
inline i32 page_of(i64 offset) { return i32(offset & ~i64(memory::kPageMask)); }
inline bool in_page(i64 offset) { return offset >= 0 && offset < i64(memory::kPageSize); }
// Bytes that a return takes from the stack; word: of an address.
inline i32 popped_by_return(const decode::Decoded& d, unsigned word) {
  return i32(word + (d.operand_count ? u16(d.immediate) : 0));
}

}  // namespace pollux::cpu::translate
