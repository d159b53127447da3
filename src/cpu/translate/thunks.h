// The code around translations: into them, and from them to the translator and back.
#pragma once

#include "cpu/translate/assembler.h"
#include "cpu/translate/frame.h"

namespace pollux::cpu::translate {

struct Thunks {
  // Runs code until an exit ends the run. An executable address, like code.
  void (*enter)(Frame*, const u8* code) = nullptr;
  // Called, with a record behind the call. Written to as the code region is. The guest's registers go to the state and
  // come back from there; the flags are not kept.
  const u8* out = nullptr;
};

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout);

}  // namespace pollux::cpu::translate
