// 32-bit user code with flat segments under long mode (compatibility mode), in the terms of 64-bit code: what its
// encodings and segments have of their own.
//
// Addresses, EIP and ESP are numbers of 32 bits there; the writer computes them by instructions that clear the upper
// half. CS, SS and DS begin at 0 and have 4 GiB, so nothing is to be checked, and an operand that reaches beyond 4 GiB
// crosses a page, which is the interpreter's. FS and GS begin anywhere. What they are is part of the mode
// (cpu/interpret/mode.h), and so is whether segments are flat at all.
#pragma once

#include "cpu/decode/decode.h"

namespace pollux::cpu::translate {

// Makes an encoding that 64-bit code does not have another one of the same instruction: INC and DEC in one byte, 82 in
// place of 80, MOV of the accumulator at an address without ModRM.
void encode_as_64_bit(decode::Decoded& d);

// Whether the memory operand of 32-bit code, if there is one, has an address of 32 bits and needs no look at its segment
// but may_pass_limit().
bool is_flat_operand(const decode::Decoded& d, u32 mode);

// Whether it is only known at run time that the operand ends before 4 GiB.
bool may_pass_limit(const decode::Decoded& d);

// Of the memory operand.
unsigned memory_bytes(const decode::Decoded& d);

}  // namespace pollux::cpu::translate
