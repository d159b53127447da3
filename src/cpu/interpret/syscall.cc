// SYSCALL SYSRET SYSENTER SYSEXIT. Source: SDM vol. 2; vol. 3, 5.8.7 and 5.8.8.
#include "cpu/interpret/descriptor.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

void set_flat(Interpreter& cpu, u16 cs, u16 ss, unsigned cpl, u16 code_kind) {
  cpu.s().segment[x86::kCs] = {.selector = cs, .attributes = u16(x86::kFlatCode | code_kind | cpl << x86::kPrivilegeShift),
                               .limit = 0xffff'ffff, .base = 0};
  cpu.s().segment[x86::kSs] = {.selector = ss, .attributes = u16(x86::kFlatData | cpl << x86::kPrivilegeShift), .limit = 0xffff'ffff,
                               .base = 0};
}

void syscall(Interpreter& cpu, const Instruction&) {
  x86::State& s = cpu.s();
  if (!(s.efer & x86::kEferSce) || !cpu.code64()) cpu.raise(Exception::kInvalidOpcode);
  cpu.gpr(x86::kRcx) = cpu.next_rip();
  cpu.gpr(x86::kR11) = cpu.flags() & ~u64{x86::kRf};
  cpu.skip_single_step();
  cpu.set_flags(cpu.flags() & ~(s.sfmask | x86::kRf));
  const u16 cs = u16(s.star >> 32 & 0xfffc);
  set_flat(cpu, cs, u16(cs + 8), 0, x86::kSegLong);
  cpu.jump(s.lstar);
  cpu.mode_changed();
}

void sysret(Interpreter& cpu, const Instruction& i) {
  x86::State& s = cpu.s();
  if (!(s.efer & x86::kEferSce) || !cpu.code64()) cpu.raise(Exception::kInvalidOpcode);
  if (cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
  const bool to_64 = i.operand_size == 8;
  const u64 rip = cpu.gpr(x86::kRcx);
  if (to_64 && !x86::is_canonical(rip)) cpu.raise(Exception::kProtection, 0);
  const u16 star = u16(s.star >> 48);
  const u16 cs = u16((to_64 ? star + 16 : star) | 3);
  set_flat(cpu, cs, u16((star + 8) | 3), 3, to_64 ? x86::kSegLong : x86::kSegBig);
  cpu.set_flags(cpu.gpr(x86::kR11) & x86::kSysretFlags);
  cpu.jump(to_64 ? rip : u32(rip));
  cpu.mode_changed();
}

void sysenter(Interpreter& cpu, const Instruction&) {
  x86::State& s = cpu.s();
  if (!cpu.protected_mode() || is_null(u16(s.sysenter_cs))) cpu.raise(Exception::kProtection, 0);
  cpu.set_flags(cpu.flags() & ~(x86::kVm | x86::kIf | x86::kRf));
  const u16 cs = u16(s.sysenter_cs & 0xfffc);
  const bool wide = cpu.long_mode();
  set_flat(cpu, cs, u16(cs + 8), 0, wide ? x86::kSegLong : x86::kSegBig);
  cpu.gpr(x86::kRsp) = wide ? s.sysenter_esp : u32(s.sysenter_esp);
  cpu.jump(wide ? s.sysenter_eip : u32(s.sysenter_eip));
  cpu.mode_changed();
}

void sysexit(Interpreter& cpu, const Instruction& i) {
  x86::State& s = cpu.s();
  const bool wide = i.operand_size == 8;
  if (!cpu.protected_mode() || is_null(u16(s.sysenter_cs)) || cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
  const u64 rip = cpu.gpr(x86::kRdx), rsp = cpu.gpr(x86::kRcx);
  if (wide && (!x86::is_canonical(rip) || !x86::is_canonical(rsp))) cpu.raise(Exception::kProtection, 0);
  const u16 cs = u16((s.sysenter_cs & 0xfffc) + (wide ? 32 : 16));
  set_flat(cpu, u16(cs | 3), u16((cs + 8) | 3), 3, wide ? x86::kSegLong : x86::kSegBig);
  cpu.gpr(x86::kRsp) = wide ? rsp : u32(rsp);
  cpu.jump(wide ? rip : u32(rip));
  cpu.mode_changed();
}

}  // namespace

std::span<const Binding> syscall_bindings() {
  constexpr u8 kTransfer = kEndsBlock | kBranch;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_SYSCALL, syscall, {}, Unit::kInteger, kTransfer},
      {ZYDIS_MNEMONIC_SYSRET, sysret, {}, Unit::kInteger, kTransfer},
      {ZYDIS_MNEMONIC_SYSENTER, sysenter, {}, Unit::kInteger, kTransfer},
      {ZYDIS_MNEMONIC_SYSEXIT, sysexit, {}, Unit::kInteger, kTransfer},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
