// NOP and hints, fences, CPUID, HLT, cache control, BOUND, UD.
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"
#include "x86/cpuid.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

void nothing(Interpreter&, const Instruction&) {}
void pause(Interpreter& cpu, const Instruction&) { cpu.bus().pause(); }

void cpuid(Interpreter& cpu, const Instruction&) {
  const x86::CpuidResult r = x86::cpuid(cpu.reg<u32>(0), cpu.reg<u32>(x86::kRcx * 8), cpu.s(), cpu.bus().topology());
  cpu.set_reg<u32>(x86::kRax * 8, r.eax);
  cpu.set_reg<u32>(x86::kRbx * 8, r.ebx);
  cpu.set_reg<u32>(x86::kRcx * 8, r.ecx);
  cpu.set_reg<u32>(x86::kRdx * 8, r.edx);
}

void require_level_0(Interpreter& cpu) {
  if (cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
}
void hlt(Interpreter& cpu, const Instruction&) {
  require_level_0(cpu);
  cpu.halt();
}
void wbinvd(Interpreter& cpu, const Instruction&) { require_level_0(cpu); }

// CLFLUSH checks its address as a read of one byte does.
void clflush(Interpreter& cpu, const Instruction& i) { cpu.load<u8>(i); }

template <class T>
void bound(Interpreter& cpu, const Instruction& i) {
  const u64 at = cpu.address(i, 2 * sizeof(T), mmu::Access::kRead);
  const T low = cpu.read_linear<T>(at, i.segment);
  const T high = cpu.read_linear<T>(at + sizeof(T), i.segment);
  const T value = cpu.reg<T>(i.r[0]);
  if (value < low || value > high) cpu.raise(Exception::kBound);
}

}  // namespace

std::span<const Binding> miscellaneous_bindings() {
  constexpr Unit kInt = Unit::kInteger;
  constexpr Pattern kMem = pattern::kMem;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_NOP, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PAUSE, pause},
      {ZYDIS_MNEMONIC_PREFETCH, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHW, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHWT1, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHNTA, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHT0, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHT1, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_PREFETCHT2, nothing, {}, kInt, kAnyOperands},
      {ZYDIS_MNEMONIC_LFENCE, nothing},
      {ZYDIS_MNEMONIC_MFENCE, nothing},
      {ZYDIS_MNEMONIC_SFENCE, nothing},
      {ZYDIS_MNEMONIC_CLFLUSH, clflush, {kMem}},
      {ZYDIS_MNEMONIC_CPUID, cpuid},
      {ZYDIS_MNEMONIC_HLT, hlt, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_WBINVD, wbinvd},
      {ZYDIS_MNEMONIC_INVD, wbinvd},
      {ZYDIS_MNEMONIC_BOUND, bound<i16>, {reg_of<u16>, kMem}},
      {ZYDIS_MNEMONIC_BOUND, bound<i32>, {reg_of<u32>, kMem}},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
