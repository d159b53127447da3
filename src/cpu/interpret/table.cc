// LGDT LIDT SGDT SIDT LLDT SLDT LTR STR LAR LSL VERR VERW ARPL. Source: SDM vol. 2.
#include "cpu/interpret/descriptor.h"
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

void require_level_0(Interpreter& cpu) {
  if (cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
}
void require_protected(Interpreter& cpu) {
  if (!cpu.protected_mode() || cpu.v8086()) cpu.raise(Exception::kInvalidOpcode);
}
void require_no_umip(Interpreter& cpu) {
  if ((cpu.s().cr4 & x86::kCr4Umip) && cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
}

template <x86::TableRegister x86::State::*Table>
void load_table(Interpreter& cpu, const Instruction& i) {
  require_level_0(cpu);
  const bool wide = cpu.code64();
  const u64 at = cpu.address(i, wide ? 10 : 6, mmu::Access::kRead);
  const u16 limit = cpu.read_linear<u16>(at, i.segment);
  u64 base = wide ? cpu.read_linear<u64>(at + 2, i.segment) : cpu.read_linear<u32>(at + 2, i.segment);
  if (!wide && i.operand_size == 2) base &= 0xff'ffff;
  if (wide && !x86::is_canonical(base)) cpu.raise(Exception::kProtection, 0);
  (cpu.s().*Table).base = base;
  (cpu.s().*Table).limit = limit;
}
template <x86::TableRegister x86::State::*Table>
void store_table(Interpreter& cpu, const Instruction& i) {
  require_no_umip(cpu);
  const x86::TableRegister t = cpu.s().*Table;
  std::byte image[10];
  std::memcpy(image, &t.limit, 2);
  std::memcpy(image + 2, &t.base, 8);
  const unsigned size = cpu.code64() ? 10 : 6;
  cpu.write_bytes(cpu.address(i, size, mmu::Access::kWrite), image, size, i.segment);
}

u16 selector_operand(Interpreter& cpu, const Instruction& i, unsigned operand) {
  return i.bits & kHasMemory ? cpu.load<u16>(i) : cpu.reg<u16>(i.r[operand]);
}
void store_selector(Interpreter& cpu, const Instruction& i, u16 selector) {
  if (i.bits & kHasMemory) {
    cpu.store<u16>(i, selector);
  } else if (i.operand_size == 2) {
    cpu.set_reg<u16>(i.r[0], selector);
  } else {
    cpu.set_reg<u64>(i.r[0], selector);
  }
}

void lldt(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  require_level_0(cpu);
  const u16 selector = selector_operand(cpu, i, 0);
  x86::Segment& ldt = cpu.s().segment[x86::kLdtr];
  if (is_null(selector)) {
    ldt = {.selector = selector, .attributes = 0, .limit = 0, .base = 0};
    return;
  }
  const u32 error = selector_error(selector);
  Descriptor d;
  if ((selector & 4) || !read_descriptor(cpu, selector, d)) cpu.raise(Exception::kProtection, error);
  if (d.is_segment() || d.type() != kLdt) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  x86::Segment loaded = d.segment(selector);
  if (cpu.long_mode()) loaded.base |= read_descriptor_high(cpu, d) << 32;
  ldt = loaded;
}
void ltr(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  require_level_0(cpu);
  const u16 selector = selector_operand(cpu, i, 0);
  const u32 error = selector_error(selector);
  if (is_null(selector)) cpu.raise(Exception::kProtection, 0);
  Descriptor d;
  if ((selector & 4) || !read_descriptor(cpu, selector, d)) cpu.raise(Exception::kProtection, error);
  const bool available = d.type() == kTss32 || (d.type() == kTss16 && !cpu.long_mode());
  if (d.is_segment() || !available) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  x86::Segment loaded = d.segment(selector);
  if (cpu.long_mode()) loaded.base |= read_descriptor_high(cpu, d) << 32;
  loaded.attributes |= 2;
  set_tss_busy(cpu, selector, true);
  cpu.s().segment[x86::kTr] = loaded;
}
template <x86::SegmentName Name>
void store_system_selector(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  require_no_umip(cpu);
  store_selector(cpu, i, cpu.s().segment[Name].selector);
}

void set_zero_flag(Interpreter& cpu, bool value) {
  cpu.set_arithmetic_raw(u16((cpu.arithmetic() & ~kHostZf) | (value ? kHostZf : 0)));
}

// Whether the descriptor is visible at the current level, for LAR, LSL, VERR, VERW.
bool visible(Interpreter& cpu, u16 selector, Descriptor& d) {
  if (is_null(selector) || !read_descriptor(cpu, selector, d)) return false;
  if (d.conforming()) return true;
  return d.dpl() >= cpu.cpl() && d.dpl() >= (selector & 3u);
}
// System types that LAR and LSL know, as bit sets by type (SDM vol. 2, tables 3-53 and 3-56).
bool known_type(Interpreter& cpu, const Descriptor& d, u32 legacy, u32 wide) {
  return d.is_segment() || ((cpu.long_mode() ? wide : legacy) >> d.type() & 1);
}

template <class T>
void lar(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  Descriptor d;
  const bool ok = visible(cpu, selector_operand(cpu, i, 1), d) && known_type(cpu, d, 0x1a3e, 0x1a04);
  if (ok) cpu.set_reg<T>(i.r[0], T(d.low >> 32 & 0xff'ff00));
  set_zero_flag(cpu, ok);
}
template <class T>
void lsl(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  Descriptor d;
  const bool ok = visible(cpu, selector_operand(cpu, i, 1), d) && known_type(cpu, d, 0x0a0e, 0x0a04);
  if (ok) cpu.set_reg<T>(i.r[0], T(d.limit()));
  set_zero_flag(cpu, ok);
}
template <bool kWrite>
void verify(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  Descriptor d;
  const bool seen = visible(cpu, selector_operand(cpu, i, 0), d) && d.is_segment();
  set_zero_flag(cpu, seen && (kWrite ? d.writable() : d.readable()));
}
void arpl(Interpreter& cpu, const Instruction& i) {
  require_protected(cpu);
  const unsigned rpl = cpu.reg<u16>(i.r[1]) & 3;
  bool raised = false;
  const auto adjust = [&](u16 selector) {
    raised = (selector & 3u) < rpl;
    return raised ? u16((selector & ~3u) | rpl) : selector;
  };
  if (i.bits & kHasMemory) {
    cpu.modify<u16>(i, adjust);
  } else {
    cpu.set_reg<u16>(i.r[0], adjust(cpu.reg<u16>(i.r[0])));
  }
  set_zero_flag(cpu, raised);
}

}  // namespace

std::span<const Binding> table_bindings() {
  using pattern::kMem;
  constexpr Pattern kReg{pattern::kGprBit, 0};
  constexpr Pattern kRm{pattern::kGprBit | pattern::kMemBit, 0};
  constexpr Unit kInt = Unit::kInteger;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_LGDT, load_table<&x86::State::gdtr>, {kMem}},
      {ZYDIS_MNEMONIC_LIDT, load_table<&x86::State::idtr>, {kMem}},
      {ZYDIS_MNEMONIC_SGDT, store_table<&x86::State::gdtr>, {kMem}},
      {ZYDIS_MNEMONIC_SIDT, store_table<&x86::State::idtr>, {kMem}},
      {ZYDIS_MNEMONIC_LLDT, lldt, {kRm}},
      {ZYDIS_MNEMONIC_LTR, ltr, {kRm}},
      {ZYDIS_MNEMONIC_SLDT, store_system_selector<x86::kLdtr>, {kRm}},
      {ZYDIS_MNEMONIC_STR, store_system_selector<x86::kTr>, {kRm}},
      {ZYDIS_MNEMONIC_LAR, lar<u16>, {reg_of<u16>, kRm}},
      {ZYDIS_MNEMONIC_LAR, lar<u32>, {reg_of<u32>, kRm}},
      {ZYDIS_MNEMONIC_LAR, lar<u64>, {reg_of<u64>, kRm}},
      {ZYDIS_MNEMONIC_LSL, lsl<u16>, {reg_of<u16>, kRm}},
      {ZYDIS_MNEMONIC_LSL, lsl<u32>, {reg_of<u32>, kRm}},
      {ZYDIS_MNEMONIC_LSL, lsl<u64>, {reg_of<u64>, kRm}},
      {ZYDIS_MNEMONIC_VERR, verify<false>, {kRm}},
      {ZYDIS_MNEMONIC_VERW, verify<true>, {kRm}},
      {ZYDIS_MNEMONIC_ARPL, arpl, {kRm, kReg}, kInt},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
