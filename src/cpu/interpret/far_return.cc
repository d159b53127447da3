#include "cpu/interpret/far_return.h"

#include "cpu/interpret/delivery.h"
#include "cpu/interpret/descriptor.h"

namespace pollux::cpu::interpret {

using x86::Exception;

namespace {

// IRET's flags: what may change depends on the level before the return (SDM vol. 2, IRET).
void set_return_flags(Interpreter& cpu, u64 value, unsigned size, unsigned old_cpl, bool may_enter_v8086) {
  u64 writable = x86::kArithmeticFlags | x86::kTf | x86::kDf | x86::kNt;
  if (size > 2) writable |= x86::kRf | x86::kAc | x86::kId;
  if (old_cpl <= (cpu.s().rflags >> 12 & 3)) writable |= x86::kIf;
  if (old_cpl == 0) {
    writable |= x86::kIopl;
    if (size > 2) writable |= x86::kVif | x86::kVip;
    if (may_enter_v8086) writable |= x86::kVm;
  }
  const u64 flags = (cpu.flags() & ~writable) | (value & writable);
  // RF only suppresses instruction breakpoints of the next instruction; it does not stay.
  cpu.set_flags(flags & ~u64{x86::kRf});
}

// A data segment register that an outer level may not use becomes null. One that is null already becomes 0, whatever
// its two low bits were (SDM vol. 2, IRET); in long mode FS and GS keep their bases.
void drop_inner_segments(Interpreter& cpu, unsigned cpl) {
  for (const x86::SegmentName n : {x86::kEs, x86::kDs, x86::kFs, x86::kGs}) {
    x86::Segment& s = cpu.s().segment[n];
    if (is_null(s.selector)) s.selector = 0;
    if (!(s.attributes & x86::kSegPresent)) continue;
    const bool conforming_code = (s.attributes & 12) == 12;
    if (!conforming_code && x86::privilege_of(s) < cpl) {
      const u64 base = n >= x86::kFs && cpu.long_mode() ? s.base : 0;
      s = {.selector = 0, .attributes = 0, .limit = 0, .base = base};
    }
  }
}

void return_real(Interpreter& cpu, unsigned size) {
  x86::State& s = cpu.s();
  if (cpu.v8086() && (s.rflags >> 12 & 3) != 3) cpu.raise(Exception::kProtection, 0);
  const u64 rip = cpu.peek_stack(0, size);
  const u16 cs = u16(cpu.peek_stack(size, size));
  const u64 flags = cpu.peek_stack(2 * size, size);
  if (rip > s.segment[x86::kCs].limit) cpu.raise(Exception::kProtection, 0);
  cpu.move_stack(3 * size);
  load_real_segment(cpu, x86::kCs, cs);
  cpu.jump(rip);
  u64 writable = x86::kArithmeticFlags | x86::kTf | x86::kDf | x86::kNt | x86::kIf | x86::kIopl;
  if (size > 2) writable |= x86::kAc | x86::kId;
  if (cpu.v8086()) writable &= ~u64{x86::kIopl};
  cpu.set_flags((cpu.flags() & ~writable) | (flags & writable));
  s.nmi_blocked = false;
  cpu.mode_changed();
}

void return_to_v8086(Interpreter& cpu, u64 rip, u16 cs, u64 flags) {
  x86::State& s = cpu.s();
  u64 slots[6];  // esp ss es ds fs gs
  for (unsigned n = 0; n < 6; ++n) slots[n] = cpu.peek_stack(12 + n * 4, 4);
  if (rip > 0xffff) cpu.raise(Exception::kProtection, 0);
  set_return_flags(cpu, flags, 4, 0, true);
  s.rflags |= x86::kVm;
  const x86::SegmentName names[] = {x86::kSs, x86::kEs, x86::kDs, x86::kFs, x86::kGs};
  for (unsigned n = 0; n < 5; ++n) load_real_segment(cpu, names[n], u16(slots[n + 1]));
  load_real_segment(cpu, x86::kCs, cs);
  cpu.gpr(x86::kRsp) = u32(slots[0]);
  cpu.jump(rip);
  s.nmi_blocked = false;
  cpu.mode_changed();
}

}  // namespace

void return_to(Interpreter& cpu, const FarReturn& to) {
  x86::State& s = cpu.s();
  const unsigned old_cpl = cpu.cpl();
  const unsigned cpl = to.cs & 3;
  const u32 error = selector_error(to.cs);
  if (is_null(to.cs)) cpu.raise(Exception::kProtection, 0);
  Descriptor code;
  if (!read_descriptor(cpu, to.cs, code)) cpu.raise(Exception::kProtection, error);
  if (!code.is_code() || cpl < old_cpl) cpu.raise(Exception::kProtection, error);
  if (code.conforming() ? code.dpl() > cpl : code.dpl() != cpl) cpu.raise(Exception::kProtection, error);
  const bool to_64 = cpu.long_mode() && code.is_long();
  if (to_64 && code.is_big()) cpu.raise(Exception::kProtection, error);
  if (!code.present()) cpu.raise(Exception::kNotPresent, error);

  // An IRET in 64-bit mode always takes SS:RSP from the stack; otherwise only a change of level does.
  const bool outer = cpl != old_cpl;
  const bool new_stack = outer || (to.iret && cpu.code64());
  u64 rsp = 0;
  u16 ss = 0;
  Descriptor stack;
  bool null_stack = false;
  if (new_stack) {
    rsp = cpu.peek_stack(to.stack_offset + to.release, to.size);
    ss = u16(cpu.peek_stack(to.stack_offset + to.release + to.size, to.size));
    null_stack = is_null(ss);
    if (null_stack) {
      if (!to_64 || cpl == 3 || (ss & 3) != cpl) cpu.raise(Exception::kProtection, 0);
    } else {
      stack = check_stack_segment(cpu, ss, cpl, Exception::kProtection, 0);
    }
  }
  if (to_64 ? !x86::is_canonical(to.rip) : to.rip > code.limit()) cpu.raise(Exception::kProtection, 0);
  mark_accessed(cpu, code);
  if (new_stack && !null_stack) mark_accessed(cpu, stack);

  if (to.iret) {
    set_return_flags(cpu, to.flags, to.size, old_cpl, false);
    s.nmi_blocked = false;
  }
  set_code_segment(cpu, code, to.cs, cpl);
  if (new_stack) {
    if (null_stack) {
      set_null_stack_segment(cpu, ss, cpl);
    } else {
      s.segment[x86::kSs] = stack.segment(ss);
    }
    const bool wide = to_64 || (s.segment[x86::kSs].attributes & x86::kSegBig);
    rsp += to.release;
    u64& current = cpu.gpr(x86::kRsp);
    if (to_64 && to.size == 8) {
      current = rsp;
    } else if (wide) {
      current = u32(rsp);
    } else {
      current = (current & ~u64{0xffff}) | u16(rsp);
    }
    if (outer) drop_inner_segments(cpu, cpl);
  } else {
    cpu.move_stack(i64(to.stack_offset + to.release));
  }
  cpu.jump(to.rip);
  cpu.mode_changed();
}

void return_from_interrupt(Interpreter& cpu, const Instruction& i) {
  const unsigned size = i.operand_size;
  x86::State& s = cpu.s();
  if (!cpu.protected_mode() || cpu.v8086()) {
    return_real(cpu, size);
    return;
  }
  if (s.rflags & x86::kNt) {
    if (cpu.long_mode()) cpu.raise(Exception::kProtection, 0);
    const u16 link = cpu.system_read<u16>(u32(s.segment[x86::kTr].base));
    cpu.jump(cpu.next_rip());
    switch_task(cpu, link, TaskSource::kIret);
    s.nmi_blocked = false;
    cpu.mode_changed();
    return;
  }
  const u64 rip = Interpreter::truncated(cpu.peek_stack(0, size), size);
  const u16 cs = u16(cpu.peek_stack(size, size));
  const u64 flags = cpu.peek_stack(2 * size, size);
  if ((flags & x86::kVm) && size == 4 && cpu.cpl() == 0 && !cpu.long_mode()) {
    return_to_v8086(cpu, rip, cs, flags);
    return;
  }
  return_to(cpu, {.rip = rip, .cs = cs, .size = size, .stack_offset = 3 * size, .iret = true, .flags = flags});
}

}  // namespace pollux::cpu::interpret
