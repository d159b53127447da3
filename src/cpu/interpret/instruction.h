// A decoded instruction in the form in which it is executed, and the table rows that bind instructions to handlers.
//
// Each family of instructions (one file each) offers its rows by a function such as
//   std::span<const Binding> shift_bindings();
// which instruction_table.cc lists. The decoder of blocks picks for an instruction the first row with its mnemonic
// whose operand patterns all match. The rows are data: the instruction tests enumerate them.
//
// Rules for a handler
//  1. It commits nothing (register, flag, memory) before its last possible fault.
//  2. It does not touch rip, unless it is a branch; a branch ends its block (kEndsBlock) and calls jump().
//  3. Flags that the manual leaves undefined get one stated value: the row's `undefined` names the flags, the
//     handler's comment says what they become.
#pragma once

#include <array>
#include <span>

#include "cpu/decode/decode.h"

namespace pollux::cpu::interpret {

class Interpreter;
struct Instruction;
using Handler = void (*)(Interpreter&, const Instruction&);

// Prefix and shape bits of Instruction::bits.
enum InstructionBit : u8 {
  kLock = 1,
  kRep = 2,        // F3 (REP, REPE)
  kRepne = 4,      // F2
  kHasMemory = 8,
  kSegmented = 16, // the address needs truncation or segment checks: not the 64-bit flat case
};

struct Instruction {
  Handler handler = nullptr;
  u64 immediate = 0;     // sign-extended where the instruction sign-extends. Of relative branches: the target,
                         // counted from the block's start
  i64 displacement = 0;  // of the memory operand; for rip-relative ones counted from the block's start

  // Memory operand: byte offsets, from State::gpr[0], of 64-bit cells to add (kZeroCell when absent).
  i16 base = 0;
  i16 index = 0;
  i16 segment_base = 0;
  u8 scale = 0;    // shift
  u8 segment = 0;  // x86::SegmentName; also the source segment of string instructions

  u16 offset = 0;        // from the block's start
  u8 length = 0;
  u8 operand_size = 0;   // bytes
  u8 address_size = 0;   // bytes
  u8 bits = 0;           // InstructionBit
  // Register operands, at the place of the operand in Intel order. General registers: byte offset into State::gpr
  // (AH is 1, ECX is 8); all others: the register's number.
  std::array<u8, 4> r{};
  u16 immediate2 = 0;    // far pointer's selector; ENTER's level
  u16 mnemonic = 0;      // decode::Mnemonic
  u8 opcode = 0;         // the last opcode byte
  Handler unchecked = nullptr;  // the row's own handler, where handler is checked_simd
};
static_assert(sizeof(Instruction) <= 64);

// Cells in front of State::gpr (see Interpreter::Registers).
inline constexpr i16 kZeroCell = -8;
inline constexpr i16 kBlockRipCell = -16;

// What an operand may be. kinds is a set of bits 1 << OperandKind; bits is the width, 0 for any.
struct Pattern {
  u16 kinds = 0;
  u16 bits = 0;
};

namespace pattern {
constexpr u16 bit(decode::OperandKind k) { return u16(1u << unsigned(k)); }
inline constexpr u16 kGprBit = bit(decode::OperandKind::kGpr), kMemBit = bit(decode::OperandKind::kMemory);
inline constexpr Pattern kR8{kGprBit, 8}, kR16{kGprBit, 16}, kR32{kGprBit, 32}, kR64{kGprBit, 64};
inline constexpr Pattern kM8{kMemBit, 8}, kM16{kMemBit, 16}, kM32{kMemBit, 32}, kM64{kMemBit, 64}, kM80{kMemBit, 80},
    kM128{kMemBit, 128}, kMem{kMemBit, 0};
inline constexpr Pattern kRm8{kGprBit | kMemBit, 8}, kRm16{kGprBit | kMemBit, 16}, kRm32{kGprBit | kMemBit, 32},
    kRm64{kGprBit | kMemBit, 64};
inline constexpr Pattern kImm{bit(decode::OperandKind::kImmediate), 0};
inline constexpr Pattern kRel{bit(decode::OperandKind::kRelative), 0};
inline constexpr Pattern kFar{bit(decode::OperandKind::kFarPointer), 0};
inline constexpr Pattern kSreg{bit(decode::OperandKind::kSegment), 0};
inline constexpr Pattern kCr{bit(decode::OperandKind::kControl), 0};
inline constexpr Pattern kDr{bit(decode::OperandKind::kDebug), 0};
inline constexpr Pattern kXmm{bit(decode::OperandKind::kXmm), 0};
inline constexpr Pattern kMmx{bit(decode::OperandKind::kMmx), 0};
inline constexpr Pattern kSt{bit(decode::OperandKind::kSt), 0};
inline constexpr Pattern kXmmM128{u16(bit(decode::OperandKind::kXmm) | kMemBit), 0};  // xmm or memory of any width
inline constexpr Pattern kMmxM64{u16(bit(decode::OperandKind::kMmx) | kMemBit), 0};
}  // namespace pattern

// General register, memory, or either, of T's width.
template <class T>
inline constexpr Pattern reg_of{pattern::kGprBit, sizeof(T) * 8};
template <class T>
inline constexpr Pattern mem_of{pattern::kMemBit, sizeof(T) * 8};
template <class T>
inline constexpr Pattern rm_of{pattern::kGprBit | pattern::kMemBit, sizeof(T) * 8};

// Which unit must be usable: the block builder turns the instruction into #UD or #NM when it is not.
enum class Unit : u8 {
  kInteger,
  kX87,   // CR0.EM or CR0.TS: #NM
  kWait,  // CR0.MP and CR0.TS: #NM
  kMmx,   // CR0.EM: #UD; CR0.TS: #NM
  kSse,   // CR0.EM or not CR4.OSFXSR: #UD; CR0.TS: #NM
  kFxsave,  // FXSAVE, FXRSTOR: CR0.EM or CR0.TS: #NM
  kXsave,   // not CR4.OSXSAVE: #UD; CR0.TS: #NM
};

enum Trait : u8 {
  kPlain = 0,
  kEndsBlock = 1,   // branches; whatever may change mode, rights, IF or the units; I/O
  kLockable = 2,    // LOCK is allowed with a memory destination
  kBranch = 4,      // writes rip; implies kEndsBlock
  kSimdFp = 8,      // may raise SIMD floating-point exceptions. The handler computes with the host's MXCSR, which
                    // holds the guest's controls with all exceptions masked. When the guest unmasks any, the
                    // interpreter wraps the handler: it runs it, looks at the new sticky bits, and on an unmasked
                    // one restores registers and flags and raises #XM. So such a handler writes only xmm, mmx,
                    // general registers and arithmetic flags, never memory.
  kDirect = 16,     // with kBranch: the target is in the instruction, so the next block may be remembered
  kAligned = 32,    // (for the tests) a 16-byte memory operand must be aligned
  kFarForm = 64,    // CALL, JMP, RET: the far form of the mnemonic
  kAnyOperands = 128,  // the patterns are not looked at
};

struct Binding {
  decode::Mnemonic mnemonic;
  Handler handler;
  std::array<Pattern, 4> operands{};  // those that the decoder lists; exactly as many must be there
  Unit unit = Unit::kInteger;
  u8 traits = kPlain;
  u32 undefined = 0;  // RFLAGS bits that the manual leaves undefined
};

}  // namespace pollux::cpu::interpret
