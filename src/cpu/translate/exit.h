// How translated code comes back. Each place where it may leave has a record, whose number it hands over.
#pragma once

#include "base/integers.h"

namespace pollux::cpu::translate {

struct Translation;

enum class ExitKind : u8 {
  kInterpret,  // the interpreter is to execute the instruction at offset
  kBudget,     // the run may end within the trace; goes on at offset
  kLink,       // goes on at offset in the same page; the jump may be linked to what is found there
  kSeparate,   // like kLink, with the translation that looks up each access by itself
  kJump,       // goes on at offset, in whatever page that is
};

struct Exit {
  ExitKind kind = ExitKind::kInterpret;
  bool host_flags = false;    // kLink: the jump leaves the guest's flags in the host's
  u16 offset = 0;             // from the start of the page
  u16 give_back = 0;          // instructions that the trace counted and did not execute
  u8* jump = nullptr;         // kLink: the displacement to be linked
  Translation* from = nullptr;
};

// Translated code of one trace, keyed by physical address and mode.
struct Translation {
  u64 physical = 0;
  u32 mode = 0;
  bool dropped = false;
  u32 steps = 0;                     // 0: the first instruction is for the interpreter; the code only says so
  const u8* host_entry = nullptr;    // executable addresses; entered with the guest's flags in the host's
  const u8* memory_entry = nullptr;  // the same with the flags in memory
};

}  // namespace pollux::cpu::translate
