// CLC STC CMC CLD STD CLI STI LAHF SAHF SALC PUSHF POPF CLAC STAC.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

void clc(Interpreter& cpu, const Instruction&) { cpu.set_arithmetic_raw(u16(cpu.arithmetic() & ~kHostCf)); }
void stc(Interpreter& cpu, const Instruction&) { cpu.set_arithmetic_raw(u16(cpu.arithmetic() | kHostCf)); }
void cmc(Interpreter& cpu, const Instruction&) { cpu.set_arithmetic_raw(u16(cpu.arithmetic() ^ kHostCf)); }
void cld(Interpreter& cpu, const Instruction&) { cpu.s().rflags &= ~u64{x86::kDf}; }
void std(Interpreter& cpu, const Instruction&) { cpu.s().rflags |= x86::kDf; }

void lahf(Interpreter& cpu, const Instruction&) { cpu.set_reg<u8>(1, u8(cpu.arithmetic() >> 8)); }
void sahf(Interpreter& cpu, const Instruction&) {
  cpu.set_arithmetic_raw(u16((cpu.arithmetic() & 0xff) | ((cpu.reg<u8>(1) & 0xd5) | 2) << 8));
}
void salc(Interpreter& cpu, const Instruction&) { cpu.set_reg<u8>(0, cpu.carry() ? 0xff : 0); }

unsigned iopl(Interpreter& cpu) { return unsigned(cpu.s().rflags >> 12 & 3); }

// CLI and STI in protected mode need CPL <= IOPL; virtual interrupts (VME, PVI) are not in the model.
void require_iopl(Interpreter& cpu) {
  if (cpu.protected_mode() && cpu.cpl() > iopl(cpu)) cpu.raise(Exception::kProtection, 0);
}
void cli(Interpreter& cpu, const Instruction&) {
  require_iopl(cpu);
  cpu.s().rflags &= ~u64{x86::kIf};
}
void sti(Interpreter& cpu, const Instruction&) {
  require_iopl(cpu);
  if (cpu.s().rflags & x86::kIf) return;
  cpu.s().rflags |= x86::kIf;
  cpu.set_shadow();
}

void require_v8086_iopl(Interpreter& cpu) {
  if (cpu.v8086() && iopl(cpu) != 3) cpu.raise(Exception::kProtection, 0);
}
void pushf(Interpreter& cpu, const Instruction& i) {
  require_v8086_iopl(cpu);
  cpu.push(cpu.flags() & ~(x86::kRf | x86::kVm), i.operand_size);
}
void popf(Interpreter& cpu, const Instruction& i) {
  require_v8086_iopl(cpu);
  const u64 value = cpu.pop(i.operand_size);
  const unsigned cpl = cpu.protected_mode() ? cpu.cpl() : 0;
  u64 writable = x86::kArithmeticFlags | x86::kTf | x86::kDf | x86::kNt | x86::kAc | x86::kId;
  if (cpl == 0) writable |= x86::kIopl;
  if (cpl <= iopl(cpu)) writable |= x86::kIf;
  if (cpu.v8086()) writable = (writable | x86::kIf) & ~u64{x86::kIopl};
  if (i.operand_size == 2) writable &= 0xffff;
  const u64 old = cpu.flags();
  cpu.set_flags(((old & ~writable) | (value & writable)) & ~u64{x86::kRf});
  if ((old ^ cpu.s().rflags) & (x86::kAc | x86::kTf | x86::kIf)) cpu.mode_changed();
}

template <bool kSet>
void set_ac(Interpreter& cpu, const Instruction&) {
  if (cpu.cpl() != 0 || !(cpu.protected_mode()) || cpu.v8086()) cpu.raise(Exception::kInvalidOpcode);
  if (kSet) {
    cpu.s().rflags |= x86::kAc;
  } else {
    cpu.s().rflags &= ~u64{x86::kAc};
  }
  cpu.view_changed();
}

}  // namespace

std::span<const Binding> flag_bindings() {
  constexpr Unit kInt = Unit::kInteger;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_CLC, clc},
      {ZYDIS_MNEMONIC_STC, stc},
      {ZYDIS_MNEMONIC_CMC, cmc},
      {ZYDIS_MNEMONIC_CLD, cld},
      {ZYDIS_MNEMONIC_STD, std},
      {ZYDIS_MNEMONIC_LAHF, lahf},
      {ZYDIS_MNEMONIC_SAHF, sahf},
      {ZYDIS_MNEMONIC_SALC, salc},
      {ZYDIS_MNEMONIC_CLI, cli},
      {ZYDIS_MNEMONIC_STI, sti, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_PUSHF, pushf},
      {ZYDIS_MNEMONIC_PUSHFD, pushf},
      {ZYDIS_MNEMONIC_PUSHFQ, pushf},
      {ZYDIS_MNEMONIC_POPF, popf, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_POPFD, popf, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_POPFQ, popf, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_CLAC, set_ac<false>},
      {ZYDIS_MNEMONIC_STAC, set_ac<true>},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
