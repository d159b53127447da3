#include "cpu/interpret/descriptor.h"

namespace pollux::cpu::interpret {

using x86::Exception;

bool read_descriptor(Interpreter& cpu, u16 selector, Descriptor& out) {
  const x86::State& s = cpu.s();
  u64 base = s.gdtr.base;
  u64 limit = s.gdtr.limit;
  if (selector & 4) {
    const x86::Segment& ldt = s.segment[x86::kLdtr];
    if (!(ldt.attributes & x86::kSegPresent)) return false;
    base = ldt.base;
    limit = ldt.limit;
  }
  const u64 offset = selector & ~u64{7};
  if (offset + 7 > limit) return false;
  out.address = base + offset;
  if (!cpu.long_mode()) out.address = u32(out.address);
  out.low = cpu.system_read<u64>(out.address);
  return true;
}

u64 read_descriptor_high(Interpreter& cpu, const Descriptor& d) { return cpu.system_read<u64>(d.address + 8); }

void mark_accessed(Interpreter& cpu, Descriptor& d) {
  if (d.low >> 40 & 1) return;
  d.low |= u64{1} << 40;
  cpu.system_write<u8>(d.address + 5, u8(d.low >> 40));
}

void set_tss_busy(Interpreter& cpu, u16 selector, bool busy) {
  Descriptor d;
  if (!read_descriptor(cpu, selector, d)) cpu.raise(Exception::kInvalidTss, selector_error(selector));
  const u8 type = u8(d.low >> 40);
  cpu.system_write<u8>(d.address + 5, u8(busy ? type | 2 : type & ~2));
}

void load_real_segment(Interpreter& cpu, x86::SegmentName name, u16 selector) {
  x86::Segment& s = cpu.s().segment[name];
  s.selector = selector;
  s.base = u64(selector) << 4;
  if (cpu.v8086()) {
    s.limit = 0xffff;
    s.attributes = 0xf3;
  }
}

Descriptor check_stack_segment(Interpreter& cpu, u16 selector, unsigned cpl, Exception fault, u32 ext) {
  const u32 error = selector_error(selector, ext);
  Descriptor d;
  if (is_null(selector) || !read_descriptor(cpu, selector, d)) cpu.raise(fault, error);
  if ((selector & 3) != cpl || !d.writable() || d.dpl() != cpl) cpu.raise(fault, error);
  if (!d.present()) cpu.raise(Exception::kStack, error);
  return d;
}

void load_segment(Interpreter& cpu, x86::SegmentName name, u16 selector) {
  x86::State& s = cpu.s();
  if (!cpu.protected_mode() || cpu.v8086()) {
    load_real_segment(cpu, name, selector);
    return;
  }
  const unsigned cpl = cpu.cpl();
  if (name == x86::kSs) {
    if (is_null(selector) && cpu.code64() && cpl != 3 && (selector & 3) == cpl) {
      set_null_stack_segment(cpu, selector, cpl);
      return;
    }
    if (is_null(selector)) cpu.raise(Exception::kProtection, 0);
    Descriptor d = check_stack_segment(cpu, selector, cpl, Exception::kProtection, 0);
    mark_accessed(cpu, d);
    s.segment[name] = d.segment(selector);
    return;
  }
  if (is_null(selector)) {
    s.segment[name] = {.selector = selector, .attributes = 0, .limit = 0, .base = 0};
    return;
  }
  const u32 error = selector_error(selector);
  Descriptor d;
  if (!read_descriptor(cpu, selector, d)) cpu.raise(Exception::kProtection, error);
  if (!d.is_segment() || !d.readable()) cpu.raise(Exception::kProtection, error);
  if (!d.conforming() && ((selector & 3u) > d.dpl() || cpl > d.dpl())) cpu.raise(Exception::kProtection, error);
  if (!d.present()) cpu.raise(Exception::kNotPresent, error);
  mark_accessed(cpu, d);
  s.segment[name] = d.segment(selector);
}

void set_code_segment(Interpreter& cpu, Descriptor& d, u16 selector, unsigned cpl) {
  mark_accessed(cpu, d);
  cpu.s().segment[x86::kCs] = d.segment(u16((selector & ~3u) | cpl));
}

void set_null_stack_segment(Interpreter& cpu, u16 selector, unsigned cpl) {
  cpu.s().segment[x86::kSs] = {.selector = selector, .attributes = u16(cpl << 5), .limit = 0, .base = 0};
}

u64 tss_stack64(Interpreter& cpu, unsigned offset) {
  const x86::Segment& tr = cpu.s().segment[x86::kTr];
  if (offset + 7 > tr.limit) cpu.raise(Exception::kInvalidTss, selector_error(tr.selector));
  return cpu.system_read<u64>(tr.base + offset);
}

void tss_stack(Interpreter& cpu, unsigned cpl, u16& ss, u32& sp) {
  const x86::Segment& tr = cpu.s().segment[x86::kTr];
  const bool wide = (tr.attributes & 15) == kTss32Busy;
  const unsigned offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
  if (offset + (wide ? 5 : 3) > tr.limit) cpu.raise(Exception::kInvalidTss, selector_error(tr.selector));
  const u64 at = u32(tr.base + offset);
  if (wide) {
    sp = cpu.system_read<u32>(at);
    ss = cpu.system_read<u16>(at + 4);
  } else {
    sp = cpu.system_read<u16>(at);
    ss = cpu.system_read<u16>(at + 2);
  }
}

}  // namespace pollux::cpu::interpret
