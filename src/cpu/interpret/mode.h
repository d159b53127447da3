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

}  // namespace pollux::cpu::interpret
