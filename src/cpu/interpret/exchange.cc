// XCHG XADD CMPXCHG CMPXCHG8B CMPXCHG16B.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

template <class T>
T sum(T a, T b, u16& flags) {
  asm("add %[b], %[a]\n\t" POLLUX_TAKE_FLAGS : [a] "+r"(a), [f] "=&a"(flags) : [b] "r"(b) : "cc");
  return a;
}
template <class T>
u16 compare(T a, T b) {
  u16 flags;
  asm("cmp %[b], %[a]\n\t" POLLUX_TAKE_FLAGS : [f] "=&a"(flags) : [a] "r"(a), [b] "r"(b) : "cc");
  return flags;
}

template <class T>
void xchg_reg(Interpreter& cpu, const Instruction& i) {
  const T a = cpu.reg<T>(i.r[0]), b = cpu.reg<T>(i.r[1]);
  cpu.set_reg<T>(i.r[0], b);
  cpu.set_reg<T>(i.r[1], a);
}
template <class T, unsigned kRegister>
void xchg_mem(Interpreter& cpu, const Instruction& i) {
  T old = 0;
  cpu.modify<T>(i, [&](T a) {
    old = a;
    return cpu.reg<T>(i.r[kRegister]);
  });
  cpu.set_reg<T>(i.r[kRegister], old);
}

// The destination is written last: with one register for both it holds the sum.
template <class T>
void xadd_reg(Interpreter& cpu, const Instruction& i) {
  const T a = cpu.reg<T>(i.r[0]), b = cpu.reg<T>(i.r[1]);
  u16 flags;
  const T total = sum<T>(a, b, flags);
  cpu.set_arithmetic_raw(flags);
  cpu.set_reg<T>(i.r[1], a);
  cpu.set_reg<T>(i.r[0], total);
}
template <class T>
void xadd_mem(Interpreter& cpu, const Instruction& i) {
  T old = 0;
  cpu.modify<T>(i, [&](T a) {
    old = a;
    u16 flags;
    const T total = sum<T>(a, cpu.reg<T>(i.r[1]), flags);
    cpu.set_arithmetic_raw(flags);
    return total;
  });
  cpu.set_reg<T>(i.r[1], old);
}

// On inequality the destination is written with its own value (SDM), so write faults come either way; a 32-bit
// register that is not changed is not zero-extended.
template <class T>
void cmpxchg_reg(Interpreter& cpu, const Instruction& i) {
  const T accumulator = cpu.reg<T>(0), destination = cpu.reg<T>(i.r[0]);
  cpu.set_arithmetic_raw(compare<T>(accumulator, destination));
  if (accumulator == destination) {
    cpu.set_reg<T>(i.r[0], cpu.reg<T>(i.r[1]));
  } else {
    cpu.set_reg<T>(0, destination);
  }
}
template <class T>
void cmpxchg_mem(Interpreter& cpu, const Instruction& i) {
  T old = 0;
  const T accumulator = cpu.reg<T>(0);
  cpu.modify<T>(i, [&](T a) {
    old = a;
    return a == accumulator ? cpu.reg<T>(i.r[1]) : a;
  });
  cpu.set_arithmetic_raw(compare<T>(accumulator, old));
  if (old != accumulator) cpu.set_reg<T>(0, old);
}

void set_zero_flag(Interpreter& cpu, bool equal) {
  cpu.set_arithmetic_raw(u16((cpu.arithmetic() & ~kHostZf) | (equal ? kHostZf : 0)));
}

void cmpxchg8b(Interpreter& cpu, const Instruction& i) {
  const u64 expected = u64(cpu.reg<u32>(x86::kRdx * 8)) << 32 | cpu.reg<u32>(0);
  const u64 wanted = u64(cpu.reg<u32>(x86::kRcx * 8)) << 32 | cpu.reg<u32>(x86::kRbx * 8);
  u64 old = 0;
  cpu.modify<u64>(i, [&](u64 a) {
    old = a;
    return a == expected ? wanted : a;
  });
  set_zero_flag(cpu, old == expected);
  if (old != expected) {
    cpu.set_reg<u32>(0, u32(old));
    cpu.set_reg<u32>(x86::kRdx * 8, u32(old >> 32));
  }
}

void cmpxchg16b(Interpreter& cpu, const Instruction& i) {
  const u64 linear = cpu.address(i, 16, mmu::Access::kWrite);
  if (linear & 15) cpu.raise(x86::Exception::kProtection, 0);
  const u128 expected = u128(cpu.gpr(x86::kRdx)) << 64 | cpu.gpr(x86::kRax);
  const u128 wanted = u128(cpu.gpr(x86::kRcx)) << 64 | cpu.gpr(x86::kRbx);
  u128 old = 0;
  cpu.modify_linear<u128>(linear, i.segment, [&](u128 a) {
    old = a;
    return a == expected ? wanted : a;
  });
  set_zero_flag(cpu, old == expected);
  if (old != expected) {
    cpu.gpr(x86::kRax) = u64(old);
    cpu.gpr(x86::kRdx) = u64(old >> 64);
  }
}

template <class T>
void add_rows(std::vector<Binding>& r) {
  r.push_back({ZYDIS_MNEMONIC_XCHG, xchg_reg<T>, {reg_of<T>, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_XCHG, xchg_mem<T, 1>, {mem_of<T>, reg_of<T>}, Unit::kInteger, kLockable});
  r.push_back({ZYDIS_MNEMONIC_XCHG, xchg_mem<T, 0>, {reg_of<T>, mem_of<T>}, Unit::kInteger, kLockable});
  r.push_back({ZYDIS_MNEMONIC_XADD, xadd_reg<T>, {reg_of<T>, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_XADD, xadd_mem<T>, {mem_of<T>, reg_of<T>}, Unit::kInteger, kLockable});
  r.push_back({ZYDIS_MNEMONIC_CMPXCHG, cmpxchg_reg<T>, {reg_of<T>, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_CMPXCHG, cmpxchg_mem<T>, {mem_of<T>, reg_of<T>}, Unit::kInteger, kLockable});
}

}  // namespace

std::span<const Binding> exchange_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_rows<u8>(r);
    add_rows<u16>(r);
    add_rows<u32>(r);
    add_rows<u64>(r);
    r.push_back({ZYDIS_MNEMONIC_CMPXCHG8B, cmpxchg8b, {pattern::kMem}, Unit::kInteger, kLockable});
    r.push_back({ZYDIS_MNEMONIC_CMPXCHG16B, cmpxchg16b, {pattern::kMem}, Unit::kInteger, kLockable});
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
