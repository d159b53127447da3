// RDMSR WRMSR, RDTSC RDTSCP. The known registers are in x86/msr.h; all others raise #GP(0).
#include <optional>

#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"
#include "x86/msr.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Exception;

bool belongs_to_apic(u32 index) {
  return index == x86::kMsrApicBase || index == x86::kMsrTscDeadline ||
         (index >= x86::kMsrX2apicFirst && index <= x86::kMsrX2apicLast);
}

u64 time_stamp(Interpreter& cpu) { return cpu.bus().time_stamp_counter() + cpu.s().tsc_adjust; }

// The plain storage behind a register that holds what was written, or nullptr.
u64* storage(x86::State& s, u32 index) {
  using namespace x86;
  if (index >= kMsrMtrrPhysBase0 && index < kMsrMtrrPhysBase0 + 16) return &s.mtrr_variable[index - kMsrMtrrPhysBase0];
  if (index == kMsrMtrrFix64k) return &s.mtrr_fixed[0];
  if (index == kMsrMtrrFix16k || index == kMsrMtrrFix16k + 1) return &s.mtrr_fixed[1 + index - kMsrMtrrFix16k];
  if (index >= kMsrMtrrFix4k && index < kMsrMtrrFix4k + 8) return &s.mtrr_fixed[3 + index - kMsrMtrrFix4k];
  switch (index) {
    case kMsrMtrrDefType: return &s.mtrr_def_type;
    case kMsrPat: return &s.pat;
    case kMsrMiscEnable: return &s.misc_enable;
    case kMsrSpecCtrl: return &s.spec_ctrl;
    case kMsrSysenterCs: return &s.sysenter_cs;
    case kMsrSysenterEsp: return &s.sysenter_esp;
    case kMsrSysenterEip: return &s.sysenter_eip;
    case kMsrStar: return &s.star;
    case kMsrLstar: return &s.lstar;
    case kMsrCstar: return &s.cstar;
    case kMsrSfmask: return &s.sfmask;
    case kMsrFsBase: return &s.segment[kFs].base;
    case kMsrGsBase: return &s.segment[kGs].base;
    case kMsrKernelGsBase: return &s.kernel_gs_base;
    case kMsrTscAux: return &s.tsc_aux;
    case kMsrEfer: return &s.efer;
    default: return nullptr;
  }
}

std::optional<u64> read(Interpreter& cpu, u32 index) {
  if (belongs_to_apic(index)) return cpu.bus().apic_msr_read(index);
  if (const u64* at = storage(cpu.s(), index)) return *at;
  switch (index) {
    case x86::kMsrTsc: return time_stamp(cpu);
    case x86::kMsrTscAdjust: return cpu.s().tsc_adjust;
    case x86::kMsrMtrrCap: return 0x508;  // eight variable ranges, fixed ranges, write-combining
    case x86::kMsrFeatureControl: return 1;  // locked, nothing enabled
    case x86::kMsrPlatformId:
    case x86::kMsrBiosSign:
    case x86::kMsrMcgCap:
    case x86::kMsrMcgStatus:
    case x86::kMsrDebugCtl: return 0;
    case x86::kMsrPlatformInfo: return u64{10} << 8;  // base ratio: 10 x 100 MHz
    default: return std::nullopt;
  }
}

bool is_memory_type(u64 type) { return type == 0 || type == 1 || (type >= 4 && type <= 6); }

bool write_efer(Interpreter& cpu, u64 value) {
  x86::State& s = cpu.s();
  constexpr u64 kAllowed = x86::kEferSce | x86::kEferLme | x86::kEferNxe | x86::kEferLma;
  if (value & ~kAllowed) return false;
  if ((s.cr0 & x86::kCr0Pg) && ((value ^ s.efer) & x86::kEferLme)) return false;
  s.efer = (value & ~u64{x86::kEferLma}) | (s.efer & x86::kEferLma);
  cpu.control_changed();
  return true;
}

bool write(Interpreter& cpu, u32 index, u64 value) {
  using namespace x86;
  if (belongs_to_apic(index)) return cpu.bus().apic_msr_write(index, value);
  State& s = cpu.s();
  switch (index) {
    case kMsrTsc:  // as processors do: the adjustment takes up the difference
      s.tsc_adjust = value - cpu.bus().time_stamp_counter();
      return true;
    case kMsrTscAdjust: s.tsc_adjust = value; return true;
    case kMsrEfer: return write_efer(cpu, value);
    case kMsrPat:
      for (unsigned n = 0; n < 8; ++n) {
        const u64 type = value >> (n * 8) & 0xff;
        if (!is_memory_type(type) && type != 7) return false;
      }
      break;
    case kMsrMtrrDefType:
      if ((value & ~u64{0xcff}) || !is_memory_type(value & 0xff)) return false;
      break;
    case kMsrFsBase: case kMsrGsBase: case kMsrKernelGsBase: case kMsrLstar: case kMsrCstar:
    case kMsrSysenterEsp: case kMsrSysenterEip:
      if (!x86::is_canonical(value)) return false;
      break;
    case kMsrTscAux: case kMsrSfmask:
      value = u32(value);
      break;
    case kMsrSpecCtrl:
      if (value & ~u64{7}) return false;
      break;
    case kMsrPredCmd: return (value & ~u64{1}) == 0;
    case kMsrBiosSign: case kMsrMcgStatus: case kMsrDebugCtl: return true;  // nothing to keep
    default: break;
  }
  u64* at = storage(s, index);
  if (!at) return false;
  *at = value;
  return true;
}

void require_level_0(Interpreter& cpu) {
  if (cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
}
void rdmsr(Interpreter& cpu, const Instruction&) {
  require_level_0(cpu);
  const std::optional<u64> value = read(cpu, cpu.reg<u32>(x86::kRcx * 8));
  if (!value) cpu.raise(Exception::kProtection, 0);
  cpu.set_reg<u32>(0, u32(*value));
  cpu.set_reg<u32>(x86::kRdx * 8, u32(*value >> 32));
}
void wrmsr(Interpreter& cpu, const Instruction&) {
  require_level_0(cpu);
  const u64 value = u64(cpu.reg<u32>(x86::kRdx * 8)) << 32 | cpu.reg<u32>(0);
  if (!write(cpu, cpu.reg<u32>(x86::kRcx * 8), value)) cpu.raise(Exception::kProtection, 0);
}
void rdtsc(Interpreter& cpu, const Instruction&) {
  if ((cpu.s().cr4 & x86::kCr4Tsd) && cpu.protected_mode() && cpu.cpl() != 0) cpu.raise(Exception::kProtection, 0);
  const u64 value = time_stamp(cpu);
  cpu.set_reg<u32>(0, u32(value));
  cpu.set_reg<u32>(x86::kRdx * 8, u32(value >> 32));
}
void rdtscp(Interpreter& cpu, const Instruction& i) {
  rdtsc(cpu, i);
  cpu.set_reg<u32>(x86::kRcx * 8, u32(cpu.s().tsc_aux));
}

}  // namespace

std::span<const Binding> msr_bindings() {
  constexpr Unit kInt = Unit::kInteger;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_RDMSR, rdmsr, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_WRMSR, wrmsr, {}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_RDTSC, rdtsc},
      {ZYDIS_MNEMONIC_RDTSCP, rdtscp},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
