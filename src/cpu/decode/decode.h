// Bytes to one decoded instruction, in the terms of this project. The only user of Zydis.
//
// Used by cpu/interpret when it builds a block, and by a translator. What the processor model does not have (AVX,
// BMI, 3DNow!, MPX, CET ...) decodes as kInvalid or, where the manuals say so, as what older processors do
// (LZCNT as BSR, ENDBR64 as NOP).
#pragma once

#include <array>

#include "base/bytes.h"
#include "cpu/decode/mnemonic.h"
#include "x86/state.h"

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

// Where an encoding keeps the number of a register operand.
enum class Place : u8 { kImplied, kReg, kRm, kOpcode };

struct Operand {
  OperandKind kind = OperandKind::kNone;
  u8 number = 0;
  u16 bits = 0;  // width
  Place place = Place::kImplied;
  bool read = false;     // perhaps: conditional accesses count
  bool written = false;  // likewise
  bool operator==(const Operand&) const = default;

  bool is_high_byte() const { return kind == OperandKind::kGpr && number >= 16; }
  // kGpr: the register that it is, or is a part of.
  u8 gpr() const { return number < 16 ? number : number - 16; }
};

// What is needed to write the instruction again with other registers.
struct Encoding {
  u8 map = 0;             // 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A
  bool prefix66 = false;  // as operand size or as part of the opcode
  u8 repeat = 0;          // F2 or F3 as part of the opcode
  bool wide = false;      // REX.W
  bool has_modrm = false;
  u8 reg = 0;             // the ModRM byte's fields with REX.R and REX.B
  u8 rm = 0;
  u8 immediates = 0;
  u8 immediate_bytes = 0; // at the instruction's end
  bool immediate_signed = false;
  u8 displacement_bytes = 0;  // before the immediate
  bool operator==(const Encoding&) const = default;
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
  // Flags that it looks at, and flags that it changes or that the manual leaves undefined (RFLAGS bits).
  u32 flags_read = 0;
  u32 flags_written = 0;
  u16 gprs_written = 0;  // bit n: general register n, explicitly or not, perhaps in part
  Encoding encoding;
  bool operator==(const Decoded&) const = default;

  // The segments that have a base where the others are flat.
  bool is_in_fs_or_gs() const { return x86::is_fs_or_gs(segment); }
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
