// The mode bits of a block's key: everything besides the bytes that decides what decoded instructions do.
#pragma once

#include "base/integers.h"

namespace pollux::cpu::interpret {

enum ModeBit : u32 {
  kCodeSizeMask = 3,   // decode::CodeSize
  kSimdUnmasked = 4,   // MXCSR unmasks an exception
  kEm = 8,             // CR0.EM
  kTs = 16,            // CR0.TS
  kMp = 32,            // CR0.MP
  kNoOsfxsr = 64,      // CR4.OSFXSR clear
  kNoOsxsave = 128,    // CR4.OSXSAVE clear
};

// Of 32-bit user code under long mode: which of its segments need no look. Beside the mode bits, but not in the key of
// blocks, which look at segments as they are executed.
enum FlatBit : u32 {
  kFlat = 1 << 12,     // CS, SS and DS are 4 GiB from 0 on, and the stack pointer is ESP
  kWholeFs = 1 << 13,  // with kFlat: FS has 4 GiB to be read and written, from its base on
  kWholeGs = 1 << 14,
};

}  // namespace pollux::cpu::interpret
