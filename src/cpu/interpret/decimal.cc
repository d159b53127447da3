// AAA AAS AAM AAD DAA DAS: decimal arithmetic of 16 and 32-bit code. Source: SDM vol. 2.
// Undefined, and what it is here: OF SF ZF PF after AAA, AAS: from AL, OF 0. OF after DAA, DAS: 0. OF AF CF after AAM,
// AAD: 0.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

u16 flags_of(u8 al, bool auxiliary, bool carry) {
  return u16(result_flags<u8>(al) | (auxiliary ? kHostAf : 0) | (carry ? kHostCf : 0));
}

template <int kSign>
void ascii_adjust(Interpreter& cpu, const Instruction&) {
  u16 ax = cpu.reg<u16>(0);
  const bool adjust = (ax & 15) > 9 || (cpu.arithmetic() & kHostAf);
  if (adjust) ax = u16(ax + kSign * 0x106);
  ax &= 0xff0f;
  cpu.set_reg<u16>(0, ax);
  cpu.set_arithmetic_raw(flags_of(u8(ax), adjust, adjust));
}

template <int kSign>
void decimal_adjust(Interpreter& cpu, const Instruction&) {
  const u8 old = cpu.reg<u8>(0);
  const bool old_carry = cpu.carry();
  u8 al = old;
  bool carry = false, auxiliary = false;
  if ((old & 15) > 9 || (cpu.arithmetic() & kHostAf)) {
    carry = old_carry || (kSign > 0 ? old > 0xf9 : old < 6);
    al = u8(al + kSign * 6);
    auxiliary = true;
  }
  if (old > 0x99 || old_carry) {
    al = u8(al + kSign * 0x60);
    carry = true;
  }
  cpu.set_reg<u8>(0, al);
  cpu.set_arithmetic_raw(flags_of(al, auxiliary, carry));
}

void aam(Interpreter& cpu, const Instruction& i) {
  const u8 base = u8(i.immediate);
  if (base == 0) cpu.raise(x86::Exception::kDivide);
  const u8 al = cpu.reg<u8>(0);
  cpu.set_reg<u16>(0, u16((al / base) << 8 | al % base));
  cpu.set_arithmetic_raw(flags_of(al % base, false, false));
}

void aad(Interpreter& cpu, const Instruction& i) {
  const u8 al = u8(cpu.reg<u8>(0) + cpu.reg<u8>(1) * u8(i.immediate));
  cpu.set_reg<u16>(0, al);
  cpu.set_arithmetic_raw(flags_of(al, false, false));
}

}  // namespace

std::span<const Binding> decimal_bindings() {
  constexpr u32 kAscii = x86::kOf | x86::kSf | x86::kZf | x86::kPf;
  constexpr u32 kDivided = x86::kOf | x86::kAf | x86::kCf;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_AAA, ascii_adjust<1>, {}, Unit::kInteger, kPlain, kAscii},
      {ZYDIS_MNEMONIC_AAS, ascii_adjust<-1>, {}, Unit::kInteger, kPlain, kAscii},
      {ZYDIS_MNEMONIC_DAA, decimal_adjust<1>, {}, Unit::kInteger, kPlain, x86::kOf},
      {ZYDIS_MNEMONIC_DAS, decimal_adjust<-1>, {}, Unit::kInteger, kPlain, x86::kOf},
      {ZYDIS_MNEMONIC_AAM, aam, {pattern::kImm}, Unit::kInteger, kPlain, kDivided},
      {ZYDIS_MNEMONIC_AAD, aad, {pattern::kImm}, Unit::kInteger, kPlain, kDivided},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
