// MOV to and from CR and DR, CLTS LMSW SMSW, INVLPG INVPCID, XGETBV XSETBV. Source: SDM vol. 2; vol. 3, 2.5, 4.10, 17.2.
//
// By the rule of translation (cpu/mmu/mmu.h) invalidations have nothing to invalidate; their checks remain.
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

constexpr u64 kCr4Allowed = x86::kCr4Vme | x86::kCr4Pvi | x86::kCr4Tsd | x86::kCr4De | x86::kCr4Pse | x86::kCr4Pae |
                            x86::kCr4Mce | x86::kCr4Pge | x86::kCr4Osfxsr | x86::kCr4Osxmmexcpt |
                            x86::kCr4Umip | x86::kCr4Fsgsbase | x86::kCr4Pcide | x86::kCr4Osxsave | x86::kCr4Smep |
                            x86::kCr4Smap;

void require_level_0(Interpreter& cpu) {
  if (cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
}
void refuse(Interpreter& cpu) { cpu.raise(Exception::kProtection, 0); }

void write_cr0(Interpreter& cpu, u64 value) {
  x86::State& s = cpu.s();
  if (value >> 32) refuse(cpu);
  constexpr u64 kKnown = x86::kCr0Pe | x86::kCr0Mp | x86::kCr0Em | x86::kCr0Ts | x86::kCr0Ne | x86::kCr0Wp |
                         x86::kCr0Am | x86::kCr0Nw | x86::kCr0Cd | x86::kCr0Pg;
  value = (value & kKnown) | x86::kCr0Et;
  if ((value & x86::kCr0Pg) && !(value & x86::kCr0Pe)) refuse(cpu);
  if ((value & x86::kCr0Nw) && !(value & x86::kCr0Cd)) refuse(cpu);
  const bool paging_on = (value & x86::kCr0Pg) && !(s.cr0 & x86::kCr0Pg);
  const bool paging_off = !(value & x86::kCr0Pg) && (s.cr0 & x86::kCr0Pg);
  if (paging_off && (cpu.code64() || (s.cr4 & x86::kCr4Pcide))) refuse(cpu);
  if (paging_on && (s.efer & x86::kEferLme)) {
    if (!(s.cr4 & x86::kCr4Pae) || (s.segment[x86::kCs].attributes & x86::kSegLong)) refuse(cpu);
    s.efer |= x86::kEferLma;
  }
  const u64 changed = value ^ s.cr0;
  const bool pae = (value & x86::kCr0Pg) && (s.cr4 & x86::kCr4Pae) && !(s.efer & x86::kEferLma);
  if (pae && (changed & (x86::kCr0Pg | x86::kCr0Cd | x86::kCr0Nw)) && !cpu.mmu().load_pdptes(s.cr3)) refuse(cpu);
  if (paging_off) s.efer &= ~u64{x86::kEferLma};
  s.cr0 = value;
  cpu.control_changed();
}

void write_cr3(Interpreter& cpu, u64 value) {
  x86::State& s = cpu.s();
  if (cpu.long_mode()) {
    if (s.cr4 & x86::kCr4Pcide) value &= ~(u64{1} << 63);  // "do not invalidate"
    if (value & ~mmu::kPhysicalMask) refuse(cpu);
  } else {
    value = u32(value);
    if ((s.cr0 & x86::kCr0Pg) && (s.cr4 & x86::kCr4Pae) && !cpu.mmu().load_pdptes(value)) refuse(cpu);
  }
  s.cr3 = value;
  cpu.control_changed();
}

void write_cr4(Interpreter& cpu, u64 value) {
  x86::State& s = cpu.s();
  if (value & ~kCr4Allowed) refuse(cpu);
  if (cpu.long_mode() && !(value & x86::kCr4Pae)) refuse(cpu);
  const u64 changed = value ^ s.cr4;
  if ((changed & value & x86::kCr4Pcide) && (!cpu.long_mode() || (s.cr3 & 0xfff))) refuse(cpu);
  const bool pae = (s.cr0 & x86::kCr0Pg) && (value & x86::kCr4Pae) && !cpu.long_mode();
  if (pae && (changed & (x86::kCr4Pae | x86::kCr4Pge | x86::kCr4Pse | x86::kCr4Smep)) &&
      !cpu.mmu().load_pdptes(s.cr3)) {
    refuse(cpu);
  }
  s.cr4 = value;
  cpu.control_changed();
}

void mov_to_cr(Interpreter& cpu, const Instruction& i) {
  require_level_0(cpu);
  const u64 value = cpu.code64() ? cpu.reg<u64>(i.r[1]) : cpu.reg<u32>(i.r[1]);
  switch (i.r[0]) {
    case 0: write_cr0(cpu, value); break;
    case 2: cpu.s().cr2 = value; break;
    case 3: write_cr3(cpu, value); break;
    case 4: write_cr4(cpu, value); break;
    case 8:
      if (value & ~u64{15}) refuse(cpu);
      cpu.bus().set_task_priority(value);
      break;
    default: cpu.raise(Exception::kInvalidOpcode);
  }
}

void mov_from_cr(Interpreter& cpu, const Instruction& i) {
  require_level_0(cpu);
  const x86::State& s = cpu.s();
  u64 value = 0;
  switch (i.r[1]) {
    case 0: value = s.cr0; break;
    case 2: value = s.cr2; break;
    case 3: value = s.cr3; break;
    case 4: value = s.cr4; break;
    case 8: value = cpu.bus().task_priority(); break;
    default: cpu.raise(Exception::kInvalidOpcode);
  }
  if (cpu.code64()) {
    cpu.set_reg<u64>(i.r[0], value);
  } else {
    cpu.set_reg<u32>(i.r[0], u32(value));
  }
}

// DR4 and DR5 are names for DR6 and DR7 unless CR4.DE is set. General detect (DR7.GD): #DB.
unsigned debug_register(Interpreter& cpu, unsigned number) {
  if (number >= 8) cpu.raise(Exception::kInvalidOpcode);
  if (number == 4 || number == 5) {
    if (cpu.s().cr4 & x86::kCr4De) cpu.raise(Exception::kInvalidOpcode);
    number += 2;
  }
  require_level_0(cpu);
  if (cpu.s().dr[7] & 0x2000) {
    cpu.s().dr[7] &= ~u64{0x2000};
    cpu.raise(x86::Fault{Exception::kDebug, 0, 0x2000});
  }
  return number;
}
void mov_to_dr(Interpreter& cpu, const Instruction& i) {
  const unsigned number = debug_register(cpu, i.r[0]);
  u64 value = cpu.code64() ? cpu.reg<u64>(i.r[1]) : cpu.reg<u32>(i.r[1]);
  if (number >= 6 && value >> 32) refuse(cpu);
  if (number == 6) value = (value & 0xe00f) | 0xffff'0ff0;
  if (number == 7) value = (value & 0xffff'23ff) | 0x400;
  cpu.s().dr[number] = value;
}
void mov_from_dr(Interpreter& cpu, const Instruction& i) {
  const u64 value = cpu.s().dr[debug_register(cpu, i.r[1])];
  if (cpu.code64()) {
    cpu.set_reg<u64>(i.r[0], value);
  } else {
    cpu.set_reg<u32>(i.r[0], u32(value));
  }
}

void clts(Interpreter& cpu, const Instruction&) {
  require_level_0(cpu);
  cpu.s().cr0 &= ~u64{x86::kCr0Ts};
  cpu.mode_changed();
}
void lmsw(Interpreter& cpu, const Instruction& i) {
  require_level_0(cpu);
  const u16 value = i.bits & kHasMemory ? cpu.load<u16>(i) : cpu.reg<u16>(i.r[0]);
  const u64 cr0 = cpu.s().cr0;
  write_cr0(cpu, (cr0 & ~u64{14}) | (value & 15) | (cr0 & x86::kCr0Pe));  // PE can be set, not cleared
}
void smsw(Interpreter& cpu, const Instruction& i) {
  if ((cpu.s().cr4 & x86::kCr4Umip) && cpu.cpl() != 0 && cpu.protected_mode()) refuse(cpu);
  const u64 value = cpu.s().cr0;
  if (i.bits & kHasMemory) {
    cpu.store<u16>(i, u16(value));
  } else if (i.operand_size == 2) {
    cpu.set_reg<u16>(i.r[0], u16(value));
  } else if (i.operand_size == 4) {
    cpu.set_reg<u32>(i.r[0], u32(value));
  } else {
    cpu.set_reg<u64>(i.r[0], value);
  }
}

void invlpg(Interpreter& cpu, const Instruction&) { require_level_0(cpu); }

void invpcid(Interpreter& cpu, const Instruction& i) {
  if (cpu.v8086()) refuse(cpu);
  if (!cpu.protected_mode()) cpu.raise(Exception::kInvalidOpcode);
  require_level_0(cpu);
  struct {
    u64 pcid, linear;
  } descriptor;
  const u64 at = cpu.address(i, 16, mmu::Access::kRead);
  descriptor.pcid = cpu.read_linear<u64>(at, i.segment);
  descriptor.linear = cpu.read_linear<u64>(at + 8, i.segment);
  const u64 type = cpu.code64() ? cpu.reg<u64>(i.r[0]) : cpu.reg<u32>(i.r[0]);
  if (type > 3) refuse(cpu);
  if (type < 2) {
    if (descriptor.pcid >> 12) refuse(cpu);
    if (!(cpu.s().cr4 & x86::kCr4Pcide) && descriptor.pcid != 0) refuse(cpu);
    if (type == 0 && !x86::is_canonical(descriptor.linear)) refuse(cpu);
  }
}

void require_osxsave(Interpreter& cpu) {
  if (!(cpu.s().cr4 & x86::kCr4Osxsave)) cpu.raise(Exception::kInvalidOpcode);
}
void xgetbv(Interpreter& cpu, const Instruction&) {
  require_osxsave(cpu);
  if (cpu.reg<u32>(x86::kRcx * 8) != 0) refuse(cpu);
  cpu.set_reg<u32>(0, u32(cpu.s().xcr0));
  cpu.set_reg<u32>(x86::kRdx * 8, u32(cpu.s().xcr0 >> 32));
}
// x87 and SSE state only.
void xsetbv(Interpreter& cpu, const Instruction&) {
  require_osxsave(cpu);
  require_level_0(cpu);
  const u64 value = u64(cpu.reg<u32>(x86::kRdx * 8)) << 32 | cpu.reg<u32>(0);
  if (cpu.reg<u32>(x86::kRcx * 8) != 0 || (value & ~u64{3}) || !(value & 1)) refuse(cpu);
  cpu.s().xcr0 = value;
}

}  // namespace

std::span<const Binding> control_bindings() {
  using pattern::kCr, pattern::kDr, pattern::kMem;
  constexpr Pattern kReg{pattern::kGprBit, 0};
  constexpr Pattern kRm{pattern::kGprBit | pattern::kMemBit, 0};
  constexpr Unit kInt = Unit::kInteger;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_MOV, mov_to_cr, {kCr, kReg}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_MOV, mov_from_cr, {kReg, kCr}},
      {ZYDIS_MNEMONIC_MOV, mov_to_dr, {kDr, kReg}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_MOV, mov_from_dr, {kReg, kDr}},
      {ZYDIS_MNEMONIC_CLTS, clts, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LMSW, lmsw, {kRm}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_SMSW, smsw, {kRm}},
      {ZYDIS_MNEMONIC_INVLPG, invlpg, {kMem}},
      {ZYDIS_MNEMONIC_INVPCID, invpcid, {kReg, kMem}},
      {ZYDIS_MNEMONIC_XGETBV, xgetbv},
      {ZYDIS_MNEMONIC_XSETBV, xsetbv},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
