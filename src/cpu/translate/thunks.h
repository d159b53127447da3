// The code around translations: into them, out of them, and from them into C++ and back.
#pragma once

#include "cpu/translate/assembler.h"
#include "cpu/translate/frame.h"

namespace pollux::cpu::translate {

// Addresses as the code region is written; entry points for the host are executable addresses.
struct Thunks {
  // u64 enter(Frame*, const u8* code): runs code until it leaves; returns the number of its exit.
  u64 (*enter)(Frame*, const u8* code) = nullptr;
  const u8* leave = nullptr;        // jumped to with the exit's number in kAddressReg
  const u8* slow_access = nullptr;  // called: kAddressReg: linear address, kScratch: access; kScratch becomes
                                    // Frame::fill's answer, the guest's registers are kept, flags are not
};

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout);

}  // namespace pollux::cpu::translate
