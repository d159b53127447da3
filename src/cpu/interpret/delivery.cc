#include "cpu/interpret/delivery.h"

#include "cpu/interpret/descriptor.h"

namespace pollux::cpu::interpret {

using x86::Exception;

namespace {

struct Event {
  u8 vector = 0;
  bool software = false;  // INT n, INT3, INTO: the gate's DPL counts
  bool has_error = false;
  u32 error = 0;
  u64 pushed_flags = 0;
  u32 ext() const { return software ? 0 : 1; }
  u32 gate_error() const { return vector * 8u + 2 + ext(); }
};

struct Gate {
  u16 selector = 0;
  u64 offset = 0;
  unsigned type = 0;
  unsigned ist = 0;
  bool clears_if() const { return !(type & 1); }
};

void clear_flags(Interpreter& cpu, bool clears_if) {
  u64 flags = cpu.flags() & ~(x86::kTf | x86::kNt | x86::kRf | x86::kVm);
  if (clears_if) flags &= ~u64{x86::kIf};
  cpu.set_flags(flags);
}

void deliver_real(Interpreter& cpu, const Event& e) {
  x86::State& s = cpu.s();
  if (e.vector * 4u + 3 > s.idtr.limit) cpu.raise(Exception::kProtection, e.gate_error());
  const u32 entry = cpu.system_read<u32>(u32(s.idtr.base + e.vector * 4u));
  const u64 rsp = cpu.gpr(x86::kRsp);
  const auto fault = cpu.attempt([&] {
    cpu.push(e.pushed_flags, 2);
    cpu.push(s.segment[x86::kCs].selector, 2);
    cpu.push(s.rip, 2);
  });
  if (fault) {
    cpu.gpr(x86::kRsp) = rsp;
    cpu.raise(*fault);
  }
  load_real_segment(cpu, x86::kCs, u16(entry >> 16));
  s.rip = u16(entry);
  cpu.set_flags(cpu.flags() & ~(x86::kTf | x86::kIf | x86::kAc | x86::kRf));
  cpu.mode_changed();
}

// Reads and checks the gate; false: a task gate, and the task has been switched.
bool read_gate(Interpreter& cpu, const Event& e, Gate& gate) {
  const x86::State& s = cpu.s();
  const bool wide = cpu.long_mode();
  const unsigned size = wide ? 16 : 8;
  if (e.vector * size + size - 1 > s.idtr.limit) cpu.raise(Exception::kProtection, e.gate_error());
  const u64 at = s.idtr.base + e.vector * size;
  const u64 low = cpu.system_read<u64>(at);
  gate.type = low >> 40 & 31;
  gate.selector = u16(low >> 16);
  gate.offset = (low & 0xffff) | (low >> 32 & 0xffff'0000);
  const bool gate32 = gate.type == kInterruptGate32 || gate.type == kTrapGate32;
  const bool gate16 = gate.type == kInterruptGate16 || gate.type == kTrapGate16;
  const bool task = gate.type == kTaskGate;
  if (!(gate32 || (!wide && (gate16 || task)))) cpu.raise(Exception::kProtection, e.gate_error());
  if (e.software && (low >> 45 & 3) < cpu.cpl()) cpu.raise(Exception::kProtection, e.gate_error());
  if (!(low >> 47 & 1)) cpu.raise(Exception::kNotPresent, e.gate_error());
  if (wide) {
    gate.offset |= cpu.system_read<u64>(at + 8) << 32;
    gate.ist = low >> 32 & 7;
  } else if (gate16) {
    gate.offset &= 0xffff;
  }
  if (!task) return true;
  switch_task(cpu, gate.selector, TaskSource::kGate);
  if (e.has_error) cpu.push(e.error, (s.segment[x86::kTr].attributes & 15) == kTss32Busy ? 4 : 2);
  return false;
}

Descriptor read_handler_segment(Interpreter& cpu, const Event& e, const Gate& gate) {
  const u32 error = selector_error(gate.selector, e.ext());
  Descriptor d;
  if (is_null(gate.selector)) cpu.raise(Exception::kProtection, e.ext());
  if (!read_descriptor(cpu, gate.selector, d)) cpu.raise(Exception::kProtection, error);
  if (!d.is_code() || d.dpl() > cpu.cpl()) cpu.raise(Exception::kProtection, error);
  if (cpu.long_mode() && (!d.is_long() || d.is_big())) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  return d;
}

void deliver_long(Interpreter& cpu, const Event& e) {
  x86::State& s = cpu.s();
  Gate gate;
  read_gate(cpu, e, gate);
  Descriptor code = read_handler_segment(cpu, e, gate);
  const unsigned old_cpl = cpu.cpl();
  const unsigned cpl = code.conforming() ? old_cpl : code.dpl();
  u64 rsp = cpu.gpr(x86::kRsp);
  if (gate.ist) {
    rsp = tss_stack64(cpu, 36 + (gate.ist - 1) * 8);
  } else if (cpl != old_cpl) {
    rsp = tss_stack64(cpu, 4 + cpl * 8);
  }
  rsp &= ~u64{15};
  const u64 frame[6] = {e.error, s.rip, s.segment[x86::kCs].selector, e.pushed_flags, cpu.gpr(x86::kRsp),
                        s.segment[x86::kSs].selector};
  const u64* from = e.has_error ? frame : frame + 1;
  const unsigned bytes = e.has_error ? 48 : 40;
  rsp -= bytes;
  cpu.write_as(cpu.view_of(cpl), rsp, from, bytes, x86::kSs);

  set_code_segment(cpu, code, gate.selector, cpl);
  if (cpl != old_cpl) set_null_stack_segment(cpu, u16(cpl), cpl);
  cpu.gpr(x86::kRsp) = rsp;
  s.rip = gate.offset;
  clear_flags(cpu, gate.clears_if());
  cpu.mode_changed();
}

void deliver_protected(Interpreter& cpu, const Event& e) {
  x86::State& s = cpu.s();
  Gate gate;
  if (!read_gate(cpu, e, gate)) return;
  Descriptor code = read_handler_segment(cpu, e, gate);
  const unsigned size = gate.type >= 8 ? 4 : 2;
  const unsigned old_cpl = cpu.cpl();
  const bool from_v8086 = cpu.v8086();
  const unsigned cpl = code.conforming() ? old_cpl : code.dpl();
  if (from_v8086 && cpl != 0) cpu.raise(Exception::kProtection, selector_error(gate.selector, e.ext()));
  const bool inner = cpl != old_cpl;

  x86::Segment stack = s.segment[x86::kSs];
  Descriptor stack_descriptor;
  u32 error = e.ext();
  u64 sp = cpu.gpr(x86::kRsp);
  if (inner) {
    u16 selector;
    u32 esp;
    tss_stack(cpu, cpl, selector, esp);
    stack_descriptor = check_stack_segment(cpu, selector, cpl, Exception::kInvalidTss, e.ext());
    stack = stack_descriptor.segment(selector);
    error = selector_error(selector, e.ext());
    sp = esp;
  }
  StackWriter out(cpu, stack, sp, cpu.view_of(cpl), error);
  if (from_v8086) {
    for (const x86::SegmentName n : {x86::kGs, x86::kFs, x86::kDs, x86::kEs}) out.push(s.segment[n].selector, size);
  }
  if (inner) {
    out.push(s.segment[x86::kSs].selector, size);
    out.push(cpu.gpr(x86::kRsp), size);
  }
  out.push(e.pushed_flags, size);
  out.push(s.segment[x86::kCs].selector, size);
  out.push(s.rip, size);
  if (e.has_error) out.push(e.error, size);
  if (gate.offset > code.limit()) cpu.raise(Exception::kProtection, e.ext());

  if (inner) {
    mark_accessed(cpu, stack_descriptor);
    s.segment[x86::kSs] = stack_descriptor.segment(stack.selector);
  }
  set_code_segment(cpu, code, gate.selector, cpl);
  const u64 mask = stack.attributes & x86::kSegBig ? 0xffff'ffff : 0xffff;
  cpu.gpr(x86::kRsp) = mask == 0xffff && !inner ? (cpu.gpr(x86::kRsp) & ~mask) | (out.sp() & mask) : out.sp();
  if (from_v8086) {
    for (const x86::SegmentName n : {x86::kGs, x86::kFs, x86::kDs, x86::kEs}) s.segment[n] = {};
  }
  s.rip = gate.offset;
  clear_flags(cpu, gate.clears_if());
  cpu.mode_changed();
}

void deliver(Interpreter& cpu, const Event& e) {
  if (!cpu.protected_mode()) {
    deliver_real(cpu, e);
  } else if (cpu.long_mode()) {
    deliver_long(cpu, e);
  } else {
    deliver_protected(cpu, e);
  }
}

}  // namespace

void StackWriter::push(u64 value, unsigned size) {
  const bool big = ss_.attributes & x86::kSegBig;
  const u64 mask = big ? 0xffff'ffff : 0xffff;
  const u64 sp = (sp_ - size) & mask;
  const bool expand_down = ss_.attributes & x86::kSegExpandDown;
  const bool outside = expand_down ? sp <= ss_.limit || sp + size - 1 > mask : sp + size - 1 > ss_.limit;
  if (outside) cpu_.raise(Exception::kStack, error_);
  const u64 at = u32(ss_.base + sp);
  if (size == 4) {
    const u32 v = u32(value);
    cpu_.write_as(view_, at, &v, 4, x86::kSs);
  } else {
    const u16 v = u16(value);
    cpu_.write_as(view_, at, &v, 2, x86::kSs);
  }
  sp_ = big ? sp : (sp_ & ~u64{0xffff}) | sp;
}

void deliver_exception(Interpreter& cpu, const x86::Fault& fault) {
  x86::State& s = cpu.s();
  Event e{.vector = u8(fault.vector), .error = fault.error};
  e.has_error = has_error_code(fault.vector) && cpu.protected_mode();
  e.pushed_flags = cpu.flags();
  // A fault shows RF in the frame, so that a return does not hit the same instruction breakpoint (6.15, 17.3.1.1).
  const bool trap = fault.vector == Exception::kDebug || fault.vector == Exception::kDoubleFault;
  if (!trap) e.pushed_flags |= x86::kRf;
  if (fault.vector == Exception::kPage) s.cr2 = fault.address;
  if (fault.vector == Exception::kDebug) s.dr[6] = (s.dr[6] & ~u64{0xf}) | fault.address;
  deliver(cpu, e);
}

void deliver_interrupt(Interpreter& cpu, u8 vector) {
  deliver(cpu, Event{.vector = vector, .pushed_flags = cpu.flags()});
}

void deliver_software(Interpreter& cpu, u8 vector) {
  cpu.skip_single_step();
  deliver(cpu, Event{.vector = vector, .software = true, .pushed_flags = cpu.flags()});
}

bool is_double_fault(Exception first, Exception second) {
  const auto contributory = [](Exception e) {
    return e == Exception::kDivide || (e >= Exception::kInvalidTss && e <= Exception::kProtection);
  };
  if (contributory(first)) return contributory(second);
  if (first == Exception::kPage) return contributory(second) || second == Exception::kPage;
  return false;
}

}  // namespace pollux::cpu::interpret
