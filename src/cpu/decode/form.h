// The form of an instruction: its bytes up to ModRM and SIB. Instructions of one form differ in displacement and
// immediate alone, so that one of them has to be decoded and the others are filled in.
//
// Not every instruction has a form here: rare ones (VEX, two immediates, 64-bit offsets, superfluous prefixes) are
// decoded each time.
#pragma once

#include "cpu/decode/decode.h"

namespace pollux::cpu::decode {

// A name of the form of the instruction that bytes begin with, equal for equal forms. 0: it has none, or the bytes end
// before it does.
u64 form_key(CodeSize code_size, ByteSpan bytes);

// Whether the decoded instruction, whose bytes have this form_key(), can stand for its form.
bool can_be_form(u64 key, const Decoded& decoded);

// The instruction of the given form that bytes begin with. out: a copy of the form.
DecodeStatus fill_form(ByteSpan bytes, Decoded& out);

}  // namespace pollux::cpu::decode
