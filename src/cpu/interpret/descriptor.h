// Segment descriptors and the loading of segment registers. Source: Intel SDM vol. 3, 3.4.5, 5.6 to 5.8.
#pragma once

#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

// Bits of the first eight bytes:
//   63-56 base 31:24 | 55 G | 54 D/B | 53 L | 52 AVL | 51-48 limit 19:16 | 47 P | 46-45 DPL | 44 S | 43-40 type |
//   39-16 base 23:0 | 15-0 limit 15:0
struct Descriptor {
  u64 low = 0;
  u64 address = 0;  // linear, of the descriptor

  u16 attributes() const { return u16(low >> 40 & 0xf0ff); }
  unsigned type() const { return unsigned(low >> 40 & 15); }
  unsigned dpl() const { return unsigned(low >> 45 & 3); }
  bool present() const { return low >> 47 & 1; }
  bool is_segment() const { return low >> 44 & 1; }  // code or data, not system
  bool is_code() const { return is_segment() && (type() & 8); }
  bool is_data() const { return is_segment() && !(type() & 8); }
  bool conforming() const { return is_code() && (type() & 4); }
  bool readable() const { return is_data() || (type() & 2); }
  bool writable() const { return is_data() && (type() & 2); }
  bool is_long() const { return low >> 53 & 1; }
  bool is_big() const { return low >> 54 & 1; }
  u32 base() const { return u32((low >> 16 & 0xff'ffff) | (low >> 32 & 0xff00'0000)); }
  u32 limit() const {
    const u32 limit = u32((low & 0xffff) | (low >> 32 & 0xf'0000));
    return low >> 55 & 1 ? limit << 12 | 0xfff : limit;
  }
  x86::Segment segment(u16 selector) const { return {selector, attributes(), limit(), base()}; }
};

// System descriptor types (SDM vol. 3, table 3-2).
enum SystemType : unsigned {
  kTss16 = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32 = 9,  // also the 64-bit one
  kTss32Busy = 11,
  kCallGate32 = 12,  // also the 64-bit one
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

inline bool is_null(u16 selector) { return (selector & ~3) == 0; }
// A selector as an error code.
inline u32 selector_error(u16 selector, u32 ext = 0) { return (selector & 0xfffcu) | ext; }

// False when the selector is beyond its table.
bool read_descriptor(Interpreter& cpu, u16 selector, Descriptor& out);
// The upper half of a 16-byte descriptor: base or offset bits 63:32, and the type field that must be zero.
u64 read_descriptor_high(Interpreter& cpu, const Descriptor& d);
// Sets the accessed bit in memory and in d.
void mark_accessed(Interpreter& cpu, Descriptor& d);
void set_tss_busy(Interpreter& cpu, u16 selector, bool busy);

// MOV to, POP, LxS: checks and loads ES, SS, DS, FS or GS.
void load_segment(Interpreter& cpu, x86::SegmentName name, u16 selector);
// The checks for SS at a given privilege level; fault is the exception for a bad selector (#GP or #TS).
Descriptor check_stack_segment(Interpreter& cpu, u16 selector, unsigned cpl, x86::Exception fault, u32 ext);
// Real and virtual-8086 mode: base is selector * 16.
void load_real_segment(Interpreter& cpu, x86::SegmentName name, u16 selector);

// Commits CS with a privilege level; the descriptor is checked.
void set_code_segment(Interpreter& cpu, Descriptor& d, u16 selector, unsigned cpl);
// SS as a null selector, as 64-bit mode has it for inner levels.
void set_null_stack_segment(Interpreter& cpu, u16 selector, unsigned cpl);

// The stack pointer for an inner level from the task-state segment (64-bit: RSPn or ISTn).
u64 tss_stack64(Interpreter& cpu, unsigned offset);
void tss_stack(Interpreter& cpu, unsigned cpl, u16& ss, u32& sp);

}  // namespace pollux::cpu::interpret
