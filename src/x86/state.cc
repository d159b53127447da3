#include "x86/state.h"

#include "x86/control.h"

namespace pollux::x86 {

void State::reset() {
  *this = State();
  constexpr u16 kRealData = 0x93;
  for (Segment& s : segment) s = {.selector = 0, .attributes = kRealData, .limit = 0xffff, .base = 0};
  segment[kCs] = {.selector = 0xf000, .attributes = 0x9b, .limit = 0xffff, .base = 0xffff0000};
  segment[kLdtr].attributes = 0x82;
  segment[kTr].attributes = 0x8b;
  gdtr.limit = idtr.limit = 0xffff;
  gpr[kRdx] = 0x600;
  dr[6] = 0xffff0ff0;
  dr[7] = 0x400;
  x87.control = 0x40;
  x87.tag = 0xff;
}

// SDM vol. 3, table 10-1, column INIT: x87, SSE, XCR0, memory types and most model-specific registers stay, and so do CD
// and NW of CR0.
void State::init() {
  const State old = *this;
  reset();
  cr0 &= old.cr0 | ~u64{kCr0Cd | kCr0Nw};
  x87 = old.x87;
  xmm = old.xmm;
  mxcsr = old.mxcsr;
  xcr0 = old.xcr0;
  star = old.star;
  lstar = old.lstar;
  cstar = old.cstar;
  sfmask = old.sfmask;
  kernel_gs_base = old.kernel_gs_base;
  sysenter_cs = old.sysenter_cs;
  sysenter_esp = old.sysenter_esp;
  sysenter_eip = old.sysenter_eip;
  pat = old.pat;
  tsc_adjust = old.tsc_adjust;
  tsc_aux = old.tsc_aux;
  misc_enable = old.misc_enable;
  spec_ctrl = old.spec_ctrl;
  mtrr_def_type = old.mtrr_def_type;
  mtrr_fixed = old.mtrr_fixed;
  mtrr_variable = old.mtrr_variable;
}

void State::start_up(u8 vector) {
  segment[kCs].selector = u16(vector << 8);
  segment[kCs].base = u64{vector} << 12;
  rip = 0;
}

void State::visit(Visitor& v) {
  static constexpr const char* kGprNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                              "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  static constexpr const char* kSegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
  for (int i = 0; i < 16; ++i) v.field(kGprNames[i], gpr[i]);
  v.field("rip", rip);
  v.field("rflags", rflags);
  for (int i = 0; i < kSegmentCount; ++i) v.field(kSegmentNames[i], segment[i]);
  v.field("gdtr", gdtr);
  v.field("idtr", idtr);
  v.field("cr0", cr0);
  v.field("cr2", cr2);
  v.field("cr3", cr3);
  v.field("cr4", cr4);
  v.field("efer", efer);
  v.field("xcr0", xcr0);
  v.field("dr", dr);
  v.field("star", star);
  v.field("lstar", lstar);
  v.field("cstar", cstar);
  v.field("sfmask", sfmask);
  v.field("kernel_gs_base", kernel_gs_base);
  v.field("sysenter_cs", sysenter_cs);
  v.field("sysenter_esp", sysenter_esp);
  v.field("sysenter_eip", sysenter_eip);
  v.field("pat", pat);
  v.field("tsc_adjust", tsc_adjust);
  v.field("tsc_aux", tsc_aux);
  v.field("misc_enable", misc_enable);
  v.field("spec_ctrl", spec_ctrl);
  v.field("mtrr_def_type", mtrr_def_type);
  v.field("mtrr_fixed", mtrr_fixed);
  v.field("mtrr_variable", mtrr_variable);
  for (int i = 0; i < 16; ++i) v.field("xmm", xmm[i]);
  v.field("mxcsr", mxcsr);
  v.field("x87", x87);
  v.field("halted", halted);
  v.field("interrupt_shadow", interrupt_shadow);
  v.field("nmi_blocked", nmi_blocked);
  v.field("nmi_pending", nmi_pending);
}

}  // namespace pollux::x86
