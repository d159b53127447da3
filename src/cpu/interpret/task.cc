// Hardware task switches of 16 and 32-bit protected mode. Source: Intel SDM vol. 3, chapter 7 (7.3).
#include "cpu/interpret/delivery.h"
#include "cpu/interpret/descriptor.h"

namespace pollux::cpu::interpret {

using x86::Exception;

namespace {

// Where the parts of a task-state segment are (figures 7-2 and 7-10).
struct Layout {
  unsigned size, minimum_limit, ip, flags, registers, segments, segment_count, segment_step, ldt;
};
constexpr Layout kLayout32 = {4, 0x67, 0x20, 0x24, 0x28, 0x48, 6, 4, 0x60};
constexpr Layout kLayout16 = {2, 0x2b, 0x0e, 0x10, 0x12, 0x22, 4, 2, 0x2a};

u64 read_field(Interpreter& cpu, u64 at, unsigned size) {
  return size == 4 ? cpu.system_read<u32>(u32(at)) : cpu.system_read<u16>(u32(at));
}
void write_field(Interpreter& cpu, u64 at, unsigned size, u64 value) {
  if (size == 4) {
    cpu.system_write<u32>(u32(at), u32(value));
  } else {
    cpu.system_write<u16>(u32(at), u16(value));
  }
}

void save_old(Interpreter& cpu, u64 flags) {
  const x86::State& s = cpu.s();
  const x86::Segment& tr = s.segment[x86::kTr];
  const Layout& l = (tr.attributes & 15) == kTss32Busy ? kLayout32 : kLayout16;
  write_field(cpu, tr.base + l.ip, l.size, s.rip);
  write_field(cpu, tr.base + l.flags, l.size, flags);
  for (unsigned n = 0; n < 8; ++n) write_field(cpu, tr.base + l.registers + n * l.size, l.size, s.gpr[n]);
  for (unsigned n = 0; n < l.segment_count; ++n) {
    cpu.system_write<u16>(u32(tr.base + l.segments + n * l.segment_step), s.segment[n].selector);
  }
}

void load_ldt(Interpreter& cpu, u16 selector) {
  x86::Segment& ldt = cpu.s().segment[x86::kLdtr];
  ldt = {.selector = selector, .attributes = 0, .limit = 0, .base = 0};
  if (is_null(selector)) return;
  Descriptor d;
  const u32 error = selector_error(selector);
  if ((selector & 4) || !read_descriptor(cpu, selector, d) || d.is_segment() || d.type() != kLdt || !d.present()) {
    cpu.raise(Exception::kInvalidTss, error);
  }
  ldt = d.segment(selector);
}

void load_task_segments(Interpreter& cpu, const u16* selectors) {
  x86::State& s = cpu.s();
  const u16 cs = selectors[x86::kCs], ss = selectors[x86::kSs];
  const unsigned cpl = cs & 3;
  Descriptor code;
  if (is_null(cs) || !read_descriptor(cpu, cs, code) || !code.is_code() ||
      (code.conforming() ? code.dpl() > cpl : code.dpl() != cpl)) {
    cpu.raise(Exception::kInvalidTss, selector_error(cs));
  }
  if (!code.present()) cpu.raise(Exception::kNotPresent, selector_error(cs));
  Descriptor stack = check_stack_segment(cpu, ss, cpl, Exception::kInvalidTss, 0);
  mark_accessed(cpu, stack);
  s.segment[x86::kSs] = stack.segment(ss);
  set_code_segment(cpu, code, cs, cpl);
  cpu.mode_changed();
  for (const x86::SegmentName n : {x86::kEs, x86::kDs, x86::kFs, x86::kGs}) {
    auto fault = cpu.attempt([&] { load_segment(cpu, n, selectors[n]); });
    if (!fault) continue;
    if (fault->vector == Exception::kProtection) fault = x86::Fault{Exception::kInvalidTss, fault->error, 0};
    cpu.raise(*fault);
  }
}

}  // namespace

// state().rip is what the old task goes on with. A fault after the new task's registers are loaded is a fault of the
// new task.
void switch_task(Interpreter& cpu, u16 selector, TaskSource source) {
  x86::State& s = cpu.s();
  const u32 error = selector_error(selector);
  const bool returning = source == TaskSource::kIret;
  const Exception bad = returning ? Exception::kInvalidTss : Exception::kProtection;
  Descriptor d;
  if (is_null(selector) || (selector & 4) || !read_descriptor(cpu, selector, d) || d.is_segment()) cpu.raise(bad, error);
  const unsigned wanted32 = returning ? kTss32Busy : kTss32, wanted16 = returning ? kTss16Busy : kTss16;
  if (d.type() != wanted32 && d.type() != wanted16) cpu.raise(bad, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  const bool wide = d.type() == wanted32;
  const Layout& l = wide ? kLayout32 : kLayout16;
  if (d.limit() < l.minimum_limit) cpu.raise(Exception::kInvalidTss, error);

  // Read all of the new task before anything changes.
  const u64 base = d.base();
  const u64 cr3 = wide ? cpu.system_read<u32>(u32(base + 0x1c)) : 0;
  const u64 ip = read_field(cpu, base + l.ip, l.size);
  u64 flags = read_field(cpu, base + l.flags, l.size);
  u64 registers[8];
  u16 selectors[6] = {};
  for (unsigned n = 0; n < 8; ++n) registers[n] = read_field(cpu, base + l.registers + n * l.size, l.size);
  for (unsigned n = 0; n < l.segment_count; ++n) {
    selectors[n] = cpu.system_read<u16>(u32(base + l.segments + n * l.segment_step));
  }
  const u16 ldt = cpu.system_read<u16>(u32(base + l.ldt));
  const bool trap = wide && (cpu.system_read<u16>(u32(base + 0x64)) & 1);

  const u16 old = s.segment[x86::kTr].selector;
  u64 old_flags = cpu.flags();
  if (returning) old_flags &= ~u64{x86::kNt};
  save_old(cpu, old_flags);
  if (source == TaskSource::kJump || returning) set_tss_busy(cpu, old, false);
  if (!returning) set_tss_busy(cpu, selector, true);
  const bool nested = source == TaskSource::kCall || source == TaskSource::kGate;
  if (nested) {
    cpu.system_write<u16>(u32(base), old);
    flags |= x86::kNt;
  }

  s.segment[x86::kTr] = d.segment(selector);
  s.segment[x86::kTr].attributes |= 2;
  s.cr0 |= x86::kCr0Ts;
  if (wide && (s.cr0 & x86::kCr0Pg)) {
    s.cr3 = cr3;
    if ((s.cr4 & x86::kCr4Pae) && !cpu.mmu().load_pdptes(cr3)) cpu.raise(Exception::kProtection, 0);
  }
  for (unsigned n = 0; n < 8; ++n) s.gpr[n] = registers[n];
  s.rip = ip;
  cpu.set_flags(flags & 0x3f'7fd5);
  for (unsigned n = 0; n < 6; ++n) s.segment[n] = {.selector = selectors[n], .attributes = 0, .limit = 0, .base = 0};
  s.segment[x86::kSs].attributes = u16((selectors[x86::kCs] & 3) << 5);
  cpu.control_changed();
  load_ldt(cpu, ldt);
  if (cpu.v8086()) {
    for (unsigned n = 0; n < 6; ++n) load_real_segment(cpu, x86::SegmentName(n), selectors[n]);
  } else {
    load_task_segments(cpu, selectors);
  }
  cpu.mode_changed();
  if (s.rip > s.segment[x86::kCs].limit) cpu.raise(Exception::kProtection, 0);
  if (trap) cpu.raise(x86::Fault{Exception::kDebug, 0, 0x8000});
}

}  // namespace pollux::cpu::interpret
