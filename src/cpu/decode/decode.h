// Bytes to one decoded instruction, in the terms of this project. The only user of Zydis.
//
// Used by cpu/interpret when it builds a block, and by a translator. What the processor model does not have (AVX,
// BMI, 3DNow!, MPX, CET ...) decodes as kInvalid or, where the manuals say so, as what older processors do
// (LZCNT as BSR, ENDBR64 as NOP).
#pragma once

#include <array>

#include "base/bytes.h"
#include "cpu/decode/mnemonic.h"

namespace pollux::cpu::decode {

enum class CodeSize : u8 { k16, k32, k64 };

enum class OperandKind : u8 {
  kNone,
  kGpr,        // number 0-15; 16-19 are AH CH DH BH
  kMemory,
  kImmediate,
  kRelative,   // branch displacement, in Decoded::immediate
  kFarPointer, // selector in immediate2, offset in immediate
  kSegment,    // x86::SegmentName
  kControl,
  kDebug,
  kXmm,
  kMmx,
  kSt,         // ST(i)
  kOther,      // a register the model does not have
};

struct Operand {
  OperandKind kind = OperandKind::kNone;
  u8 number = 0;
  u16 bits = 0;  // width
};

inline constexpr u8 kNoRegister = 0xff;
inline constexpr u8 kRipRegister = 0xfe;

struct Decoded {
  Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
  u8 length = 0;
  u8 operand_size = 0;  // bytes: 2, 4 or 8 by prefixes and mode; 1 for byte opcodes
  u8 address_size = 0;  // bytes
  u8 opcode = 0;        // the last opcode byte
  bool far = false;     // CALL, JMP, RET between segments
  bool lock = false;
  bool rep = false;    // F3 as REP/REPE, where it is not part of the opcode
  bool repne = false;  // F2, likewise
  u8 operand_count = 0;  // explicit and implicit ones, as printed; hidden ones are not listed
  std::array<Operand, 4> operands{};
  // The memory operand, if any.
  bool has_memory = false;
  u8 base = kNoRegister;
  u8 index = kNoRegister;
  u8 scale = 0;     // shift: 0-3
  u8 segment = 0;   // x86::SegmentName, default or override. Also set for string instructions (the source)
  i64 displacement = 0;
  u64 immediate = 0;  // sign-extended where the instruction sign-extends it
  u16 immediate2 = 0;
};

enum class DecodeStatus : u8 {
  kOk,
  kInvalid,    // #UD
  kTooLong,    // more than 15 bytes: #GP(0)
  kTruncated,  // more bytes are needed than were given
};

// At most 15 bytes are looked at.
DecodeStatus decode(CodeSize code_size, ByteSpan bytes, Decoded& out);

}  // namespace pollux::cpu::decode
