// Transfers between segments: far JMP, CALL, RET, call gates; IRET; INT n, INT3, INT1, INTO.
// Source: SDM vol. 2 (each instruction); vol. 3, 5.8, 6.12, 7.3.
#include "cpu/interpret/delivery.h"
#include "cpu/interpret/descriptor.h"
#include "cpu/interpret/far_return.h"
#include "cpu/interpret/instruction_table.h"

namespace pollux::cpu::interpret {

using x86::Exception;

namespace {

struct FarPointer {
  u16 selector = 0;
  u64 offset = 0;
};

FarPointer far_operand(Interpreter& cpu, const Instruction& i) {
  if (!(i.bits & kHasMemory)) return {i.immediate2, Interpreter::truncated(i.immediate, i.operand_size)};
  const unsigned size = i.operand_size;
  const u64 linear = cpu.address(i, size + 2, mmu::Access::kRead);
  FarPointer p;
  if (size == 2) p.offset = cpu.read_linear<u16>(linear, i.segment);
  if (size == 4) p.offset = cpu.read_linear<u32>(linear, i.segment);
  if (size == 8) p.offset = cpu.read_linear<u64>(linear, i.segment);
  p.selector = cpu.read_linear<u16>(linear + size, i.segment);
  return p;
}

void check_target(Interpreter& cpu, const Descriptor& code, u64 offset) {
  const bool to_64 = cpu.long_mode() && code.is_long();
  if (to_64 ? !x86::is_canonical(offset) : offset > code.limit()) cpu.raise(Exception::kProtection, 0);
}

void commit_code(Interpreter& cpu, Descriptor& code, u16 selector, unsigned cpl, u64 offset) {
  set_code_segment(cpu, code, selector, cpl);
  cpu.jump(offset);
  cpu.mode_changed();
}

// A code segment as the direct target of a far JMP or CALL.
void check_direct(Interpreter& cpu, const Descriptor& code, u16 selector) {
  const u32 error = selector_error(selector);
  const unsigned cpl = cpu.cpl();
  if (cpu.long_mode() && code.is_long() && code.is_big()) cpu.raise(Exception::kProtection, error);
  const bool allowed = code.conforming() ? code.dpl() <= cpl : (selector & 3u) <= cpl && code.dpl() == cpl;
  if (!allowed) cpu.raise(Exception::kProtection, error);
  if (!code.present()) cpu.raise(Exception::kNotPresent, error);
}

Descriptor read_target(Interpreter& cpu, u16 selector) {
  if (is_null(selector)) cpu.raise(Exception::kProtection, 0);
  Descriptor d;
  if (!read_descriptor(cpu, selector, d)) cpu.raise(Exception::kProtection, selector_error(selector));
  return d;
}

struct Gate {
  u16 selector = 0;
  u64 offset = 0;
  unsigned size = 4;      // of the pushed items
  unsigned parameters = 0;
};

// Checks a call gate (not its target).
Gate read_call_gate(Interpreter& cpu, const Descriptor& d, u16 selector) {
  const u32 error = selector_error(selector);
  if (d.dpl() < cpu.cpl() || d.dpl() < (selector & 3u)) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  Gate g;
  g.selector = u16(d.low >> 16);
  g.offset = (d.low & 0xffff) | (d.low >> 32 & 0xffff'0000);
  g.parameters = d.low >> 32 & 31;
  if (d.type() == kCallGate16) g.size = 2, g.offset &= 0xffff;
  if (cpu.long_mode()) {
    const u64 high = read_descriptor_high(cpu, d);
    if (high >> 40 & 31) cpu.raise(Exception::kProtection, error);
    g.offset |= high << 32;
    g.size = 8;
    g.parameters = 0;
  }
  return g;
}

Descriptor gate_target(Interpreter& cpu, const Gate& g) {
  const u32 error = selector_error(g.selector);
  Descriptor code = read_target(cpu, g.selector);
  if (!code.is_code() || code.dpl() > cpu.cpl()) cpu.raise(Exception::kProtection, error);
  if (cpu.long_mode() && (!code.is_long() || code.is_big())) cpu.raise(Exception::kProtection, error);
  if (!code.present()) cpu.raise(Exception::kNotPresent, error);
  return code;
}

void jump_far(Interpreter& cpu, const Instruction& i) {
  const FarPointer p = far_operand(cpu, i);
  if (!cpu.protected_mode() || cpu.v8086()) {
    if (p.offset > cpu.s().segment[x86::kCs].limit) cpu.raise(Exception::kProtection, 0);
    load_real_segment(cpu, x86::kCs, p.selector);
    cpu.jump(p.offset);
    cpu.mode_changed();
    return;
  }
  Descriptor d = read_target(cpu, p.selector);
  if (d.is_code()) {
    check_direct(cpu, d, p.selector);
    check_target(cpu, d, p.offset);
    commit_code(cpu, d, p.selector, cpu.cpl(), p.offset);
    return;
  }
  const u32 error = selector_error(p.selector);
  const unsigned type = d.is_segment() ? 0 : d.type();
  if (type == kCallGate32 || (type == kCallGate16 && !cpu.long_mode())) {
    const Gate g = read_call_gate(cpu, d, p.selector);
    Descriptor code = gate_target(cpu, g);
    if (!code.conforming() && code.dpl() != cpu.cpl()) cpu.raise(Exception::kProtection, selector_error(g.selector));
    check_target(cpu, code, g.offset);
    commit_code(cpu, code, g.selector, cpu.cpl(), g.offset);
    return;
  }
  if (cpu.long_mode() || (type != kTaskGate && type != kTss16 && type != kTss32)) {
    cpu.raise(Exception::kProtection, error);
  }
  if (d.dpl() < cpu.cpl() || d.dpl() < (p.selector & 3u)) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  cpu.jump(cpu.next_rip());
  switch_task(cpu, type == kTaskGate ? u16(d.low >> 16) : p.selector, TaskSource::kJump);
}

void push_return(Interpreter& cpu, unsigned size) {
  const u64 rsp = cpu.gpr(x86::kRsp);
  const auto fault = cpu.attempt([&] {
    cpu.push(cpu.s().segment[x86::kCs].selector, size);
    cpu.push(cpu.next_rip(), size);
  });
  if (!fault) return;
  cpu.gpr(x86::kRsp) = rsp;
  cpu.raise(*fault);
}

// A call through a gate to an inner level: the new stack comes from the task-state segment.
void call_inner(Interpreter& cpu, const Gate& g, Descriptor& code) {
  x86::State& s = cpu.s();
  const unsigned cpl = code.dpl();
  const u64 old_rsp = cpu.gpr(x86::kRsp);
  const u16 old_ss = s.segment[x86::kSs].selector;
  if (cpu.long_mode()) {
    const u64 rsp = tss_stack64(cpu, 4 + cpl * 8) - 32;
    const u64 frame[4] = {cpu.next_rip(), s.segment[x86::kCs].selector, old_rsp, old_ss};
    cpu.write_as(cpu.view_of(cpl), rsp, frame, sizeof frame, x86::kSs);
    mark_accessed(cpu, code);
    set_null_stack_segment(cpu, u16(cpl), cpl);
    cpu.gpr(x86::kRsp) = rsp;
  } else {
    u16 ss;
    u32 sp;
    tss_stack(cpu, cpl, ss, sp);
    Descriptor stack = check_stack_segment(cpu, ss, cpl, Exception::kInvalidTss, 0);
    const x86::Segment segment = stack.segment(ss);
    StackWriter out(cpu, segment, sp, cpu.view_of(cpl), selector_error(ss));
    out.push(old_ss, g.size);
    out.push(old_rsp, g.size);
    for (unsigned n = g.parameters; n-- > 0;) out.push(cpu.peek_stack(n * g.size, g.size), g.size);
    out.push(s.segment[x86::kCs].selector, g.size);
    out.push(cpu.next_rip(), g.size);
    mark_accessed(cpu, stack);
    mark_accessed(cpu, code);
    s.segment[x86::kSs] = stack.segment(ss);
    cpu.gpr(x86::kRsp) = out.sp();
  }
  commit_code(cpu, code, g.selector, cpl, g.offset);
}

void call_far(Interpreter& cpu, const Instruction& i) {
  const FarPointer p = far_operand(cpu, i);
  if (!cpu.protected_mode() || cpu.v8086()) {
    if (p.offset > cpu.s().segment[x86::kCs].limit) cpu.raise(Exception::kProtection, 0);
    push_return(cpu, i.operand_size);
    load_real_segment(cpu, x86::kCs, p.selector);
    cpu.jump(p.offset);
    cpu.mode_changed();
    return;
  }
  Descriptor d = read_target(cpu, p.selector);
  if (d.is_code()) {
    check_direct(cpu, d, p.selector);
    check_target(cpu, d, p.offset);
    mark_accessed(cpu, d);
    push_return(cpu, i.operand_size);
    commit_code(cpu, d, p.selector, cpu.cpl(), p.offset);
    return;
  }
  const u32 error = selector_error(p.selector);
  const unsigned type = d.is_segment() ? 0 : d.type();
  if (type == kCallGate32 || (type == kCallGate16 && !cpu.long_mode())) {
    const Gate g = read_call_gate(cpu, d, p.selector);
    Descriptor code = gate_target(cpu, g);
    check_target(cpu, code, g.offset);
    if (!code.conforming() && code.dpl() < cpu.cpl()) {
      call_inner(cpu, g, code);
      return;
    }
    mark_accessed(cpu, code);
    push_return(cpu, g.size);
    commit_code(cpu, code, g.selector, cpu.cpl(), g.offset);
    return;
  }
  if (cpu.long_mode() || (type != kTaskGate && type != kTss16 && type != kTss32)) {
    cpu.raise(Exception::kProtection, error);
  }
  if (d.dpl() < cpu.cpl() || d.dpl() < (p.selector & 3u)) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  cpu.jump(cpu.next_rip());
  switch_task(cpu, type == kTaskGate ? u16(d.low >> 16) : p.selector, TaskSource::kCall);
}

void return_far(Interpreter& cpu, const Instruction& i) {
  const unsigned size = i.operand_size;
  const u64 extra = u16(i.immediate);
  const u64 rip = Interpreter::truncated(cpu.peek_stack(0, size), size);
  const u16 selector = u16(cpu.peek_stack(size, size));
  if (!cpu.protected_mode() || cpu.v8086()) {
    if (rip > cpu.s().segment[x86::kCs].limit) cpu.raise(Exception::kProtection, 0);
    cpu.move_stack(i64(2 * size + extra));
    load_real_segment(cpu, x86::kCs, selector);
    cpu.jump(rip);
    cpu.mode_changed();
    return;
  }
  return_to(cpu, {.rip = rip, .cs = selector, .size = size, .stack_offset = 2 * size, .release = extra});
}

void interrupt(Interpreter& cpu, u8 vector) {
  cpu.jump(cpu.next_rip());
  deliver_software(cpu, vector);
}
void int_n(Interpreter& cpu, const Instruction& i) {
  if (cpu.v8086() && (cpu.s().rflags >> 12 & 3) != 3) cpu.raise(Exception::kProtection, 0);
  interrupt(cpu, u8(i.immediate));
}
void int3(Interpreter& cpu, const Instruction&) { interrupt(cpu, u8(Exception::kBreakpoint)); }
void into(Interpreter& cpu, const Instruction&) {
  if (cpu.flags() & x86::kOf) interrupt(cpu, u8(Exception::kOverflow));
}
// INT1 behaves as a hardware exception, so no gate privilege is checked; it retires as a trap does.
void int1(Interpreter& cpu, const Instruction&) {
  cpu.jump(cpu.next_rip());
  cpu.skip_single_step();
  deliver_exception(cpu, {Exception::kDebug, 0, 0});
}

}  // namespace

std::span<const Binding> far_bindings() {
  using pattern::kFar, pattern::kMem, pattern::kImm;
  constexpr Unit kInt = Unit::kInteger;
  constexpr u8 kTransfer = kEndsBlock | kBranch;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_JMP, jump_far, {kFar}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_JMP, jump_far, {kMem}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_CALL, call_far, {kFar}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_CALL, call_far, {kMem}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_RET, return_far, {}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_RET, return_far, {kImm}, kInt, kTransfer | kFarForm},
      {ZYDIS_MNEMONIC_IRET, return_from_interrupt, {}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_IRETD, return_from_interrupt, {}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_IRETQ, return_from_interrupt, {}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_INT, int_n, {kImm}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_INT3, int3, {}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_INTO, into, {}, kInt, kTransfer},
      {ZYDIS_MNEMONIC_INT1, int1, {}, kInt, kTransfer},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
