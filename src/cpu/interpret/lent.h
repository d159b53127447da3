// An instruction that another engine lends to the interpreter, which keeps nothing of it.
#pragma once

#include "cpu/interpret/block_cache.h"

namespace pollux::cpu::interpret {

struct Lent {
  Block block;  // of the one instruction; where its instructions are is set when it is executed
  Instruction instruction;
};

}  // namespace pollux::cpu::interpret
