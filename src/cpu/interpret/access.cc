// Memory accesses beyond the fast path: page crossings, TLB misses, device memory, segments, alignment checks.
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

// SDM vol. 3, 5.3 to 5.5: limits and types. 64-bit code knows only the bases of FS and GS.
u64 Interpreter::linear_of(u8 segment, u64 offset, unsigned size, mmu::Access access) {
  const x86::Segment& s = r_.state.segment[segment];
  if (code64()) return x86::is_fs_or_gs(segment) ? s.base + offset : offset;
  const x86::Exception fault = segment == x86::kSs ? x86::Exception::kStack : x86::Exception::kProtection;
  const u64 last = offset + size - 1;
  if (protected_mode()) {
    const u16 a = s.attributes;
    if (!(a & x86::kSegPresent)) raise(fault, 0);  // a null selector
    const bool code = a & x86::kSegCode;
    if (access == mmu::Access::kWrite && (code || !(a & x86::kSegWritable))) raise(fault, 0);
    if (access == mmu::Access::kRead && code && !(a & x86::kSegReadable)) raise(fault, 0);
    if (!code && (a & x86::kSegExpandDown)) {
      const u64 top = a & x86::kSegBig ? 0xffff'ffff : 0xffff;
      if (offset <= s.limit || last > top) raise(fault, 0);
      return u32(s.base + offset);
    }
  }
  if (last > s.limit) raise(fault, 0);
  return u32(s.base + offset);
}

u64 Interpreter::segmented_address(const Instruction& i, unsigned size, mmu::Access access) {
  return linear_of(i.segment, truncated(effective_address(i), i.address_size), size, access);
}

void Interpreter::check_linear(u64 linear, unsigned size, u8 segment) {
  if (!x86::is_canonical(linear) || !x86::is_canonical(linear + size - 1)) [[unlikely]] {
    raise(segment == x86::kSs ? x86::Exception::kStack : x86::Exception::kProtection);
  }
}

mmu::Translation Interpreter::translate(mmu::View view, u64 linear, mmu::Access access) {
  mmu::Translation t;
  x86::Fault fault;
  if (!mmu_.translate(linear, access, view, t, fault)) raise(fault);
  return t;
}

u64 Interpreter::next_page(u64 linear) const {
  const u64 next = (linear | memory::kPageMask) + 1;
  return long_mode() ? next : u32(next);
}

namespace {

// The largest piece of device memory that one bus access may have at this address.
unsigned piece(u64 at, unsigned left) {
  unsigned size = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
  while ((at & 7) + size > 8 && size > 1 && (at & (size - 1))) size /= 2;
  return size;
}

void read_device(Bus& bus, u64 at, std::byte* to, unsigned size) {
  while (size) {
    const unsigned n = piece(at, size);
    const u64 value = bus.mmio_read(memory::PhysAddr(at), n);
    std::memcpy(to, &value, n);
    at += n, to += n, size -= n;
  }
}

void write_device(Bus& bus, u64 at, const std::byte* from, unsigned size) {
  while (size) {
    const unsigned n = piece(at, size);
    u64 value = 0;
    std::memcpy(&value, from, n);
    bus.mmio_write(memory::PhysAddr(at), n, value);
    at += n, from += n, size -= n;
  }
}

}  // namespace

void Interpreter::read_as(mmu::View view, u64 linear, void* to, unsigned size, u8 segment) {
  check_linear(linear, size, segment);
  auto* out = static_cast<std::byte*>(to);
  const unsigned in_first = unsigned(std::min<u64>(size, memory::kPageSize - (linear & memory::kPageMask)));
  if (in_first == size) {
    if (const std::byte* host = mmu_.probe(linear, mmu::Access::kRead, view)) {
      std::memcpy(out, host, size);
      return;
    }
  }
  const mmu::Translation first = translate(view, linear, mmu::Access::kRead);
  mmu::Translation second;
  if (in_first < size) second = translate(view, next_page(linear), mmu::Access::kRead);
  if (first.host) {
    std::memcpy(out, first.host, in_first);
  } else {
    read_device(bus_, first.physical.value, out, in_first);
  }
  if (in_first == size) return;
  if (second.host) {
    std::memcpy(out + in_first, second.host, size - in_first);
  } else {
    read_device(bus_, second.physical.value, out + in_first, size - in_first);
  }
}

void Interpreter::write_as(mmu::View view, u64 linear, const void* from, unsigned size, u8 segment) {
  check_linear(linear, size, segment);
  const auto* in = static_cast<const std::byte*>(from);
  const unsigned in_first = unsigned(std::min<u64>(size, memory::kPageSize - (linear & memory::kPageMask)));
  if (in_first == size) {
    if (std::byte* host = mmu_.probe(linear, mmu::Access::kWrite, view)) {
      std::memcpy(host, in, size);
      return;
    }
  }
  const mmu::Translation first = translate(view, linear, mmu::Access::kWrite);
  mmu::Translation second;
  if (in_first < size) second = translate(view, next_page(linear), mmu::Access::kWrite);
  const auto put = [&](const mmu::Translation& to, const std::byte* bytes, unsigned count) {
    if (to.host) {
      mmu_.note_write(to.physical, count);
      std::memcpy(to.host, bytes, count);
    } else {
      write_device(bus_, to.physical.value, bytes, count);
    }
  };
  put(first, in, in_first);
  if (in_first < size) put(second, in + in_first, size - in_first);
}

void Interpreter::read_slow(u64 linear, void* to, unsigned size, u8 segment) {
  if (alignment_check_ && size <= 8 && (linear & (size - 1))) raise(x86::Exception::kAlignment, 0);
  read_as(view_, linear, to, size, segment);
}

void Interpreter::write_slow(u64 linear, const void* from, unsigned size, u8 segment) {
  if (alignment_check_ && size <= 8 && (linear & (size - 1))) raise(x86::Exception::kAlignment, 0);
  write_as(view_, linear, from, size, segment);
}

void Interpreter::check_write(u64 linear, unsigned size, u8 segment) {
  check_linear(linear, size, segment);
  if (alignment_check_ && size <= 8 && (linear & (size - 1))) raise(x86::Exception::kAlignment, 0);
  const bool one_page = (linear & memory::kPageMask) + size <= memory::kPageSize;
  if (one_page && probe(linear, mmu::Access::kWrite)) return;
  translate(view_, linear, mmu::Access::kWrite);
  if (!one_page) translate(view_, next_page(linear), mmu::Access::kWrite);
}

u64 Interpreter::near_target(u64 target, unsigned operand_size) {
  if (code64()) {
    if (operand_size == 2) target = u16(target);
    if (!x86::is_canonical(target)) [[unlikely]] raise(x86::Exception::kProtection, 0);
    return target;
  }
  target = operand_size == 2 ? u16(target) : u32(target);
  if (target > r_.state.segment[x86::kCs].limit) [[unlikely]] raise(x86::Exception::kProtection, 0);
  return target;
}

void Interpreter::push(u64 value, unsigned size) {
  const u64 sp = (gpr(x86::kRsp) - size) & stack_mask_;
  const u64 linear = stack_mask_ == ~u64{0} ? sp : linear_of(x86::kSs, sp, size, mmu::Access::kWrite);
  switch (size) {
    case 8: write_linear<u64>(linear, value, x86::kSs); break;
    case 4: write_linear<u32>(linear, u32(value), x86::kSs); break;
    default: write_linear<u16>(linear, u16(value), x86::kSs); break;
  }
  move_stack(-i64(size));
}

u64 Interpreter::peek_stack(u64 offset, unsigned size) {
  const u64 sp = (gpr(x86::kRsp) + offset) & stack_mask_;
  const u64 linear = stack_mask_ == ~u64{0} ? sp : linear_of(x86::kSs, sp, size, mmu::Access::kRead);
  switch (size) {
    case 8: return read_linear<u64>(linear, x86::kSs);
    case 4: return read_linear<u32>(linear, x86::kSs);
    default: return read_linear<u16>(linear, x86::kSs);
  }
}

// A stack of 16 bits leaves the upper bits of ESP alone.
void Interpreter::move_stack(i64 delta) {
  u64& rsp = gpr(x86::kRsp);
  const u64 moved = rsp + u64(delta);
  rsp = stack_mask_ == 0xffff ? (rsp & ~u64{0xffff}) | u16(moved) : moved & stack_mask_;
}

}  // namespace pollux::cpu::interpret
