// The architectural state of one processor, as the manuals name it. Plain data; visit() defines what of it is
// digested. Reset values: Intel SDM vol. 3, table 10-1; reset() below.
#pragma once

#include <array>

#include "base/visit.h"

namespace pollux::x86 {

enum Gpr : u8 { kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi, kR8, kR9, kR10, kR11, kR12, kR13, kR14, kR15 };
enum SegmentName : u8 { kEs, kCs, kSs, kDs, kFs, kGs, kLdtr, kTr, kSegmentCount };
// Those that have a base in 64-bit code.
inline constexpr bool is_fs_or_gs(u8 segment) { return segment == kFs || segment == kGs; }

// A segment register with its hidden part. attributes: descriptor bits 40-55 without the limit's bits 48-51:
//   15 G | 14 D/B | 13 L | 12 AVL | 11-8 zero | 7 P | 6-5 DPL | 4 S | 3-0 type
struct Segment {
  u16 selector = 0;
  u16 attributes = 0;
  u32 limit = 0;  // in bytes, granularity applied
  u64 base = 0;
};

struct TableRegister {
  u64 base = 0;
  u16 limit = 0;
  u16 pad[3] = {};
};

struct alignas(16) Xmm {
  u64 low = 0;
  u64 high = 0;
};

// An 80-bit register; the value's bits as in memory.
struct X87Register {
  u64 significand = 0;
  u16 sign_exponent = 0;
  u16 pad[3] = {};
};

struct X87 {
  u16 control = 0x37f;
  u16 status = 0;      // TOP is kept here, bits 11-13
  u8 tag = 0;          // abridged as in FXSAVE: bit i set when physical register i is not empty
  u8 pad = 0;
  u16 opcode = 0;      // 11 bits
  u64 instruction_pointer = 0;
  u64 data_pointer = 0;
  std::array<X87Register, 8> registers{};  // physical; ST(i) is registers[(TOP + i) & 7]. MMn is registers[n]
};

struct State {
  std::array<u64, 16> gpr{};
  u64 rip = 0xfff0;
  u64 rflags = 2;
  std::array<Segment, kSegmentCount> segment{};
  TableRegister gdtr, idtr;
  u64 cr0 = 0x60000010, cr2 = 0, cr3 = 0, cr4 = 0;  // CR8 lives in the local APIC
  u64 efer = 0, xcr0 = 1;
  std::array<u64, 8> dr{};  // 4, 5 unused
  u64 star = 0, lstar = 0, cstar = 0, sfmask = 0, kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 pat = 0x0007040600070406, tsc_adjust = 0, tsc_aux = 0, misc_enable = 1, spec_ctrl = 0;
  u64 mtrr_def_type = 0;
  std::array<u64, 11> mtrr_fixed{};
  std::array<u64, 16> mtrr_variable{};
  std::array<Xmm, 16> xmm{};
  u32 mxcsr = 0x1f80;
  X87 x87;
  bool halted = false;
  bool interrupt_shadow = false;  // the next boundary takes no maskable interrupt (STI, MOV SS, POP SS)
  bool nmi_blocked = false;       // until IRET
  bool nmi_pending = false;

  void reset();  // power-on, at the reset vector in real mode
  void init();   // INIT: as reset, but for what the manual leaves unchanged
  void start_up(u8 vector);  // a start-up message to a processor after INIT: real mode at vector * 4 KiB
  void visit(Visitor& v);
};

}  // namespace pollux::x86
