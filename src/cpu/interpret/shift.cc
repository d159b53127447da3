// SHL SHR SAR ROL ROR RCL RCR SHLD SHRD. Source: SDM vol. 2.
// The count is masked to 5 bits (6 for 64-bit operands); masked to 0, nothing changes. Undefined, and what it is here:
//  AF after SHL SHR SAR SHLD SHRD: 0.
//  OF for counts other than 1: the same formula as for 1, on the result (below).
//  CF of SHL, SHR beyond the operand's width: 0; of SAR: the sign.
//  SHLD, SHRD of 16 bits by more than 16: as if destination:source:destination were shifted.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

template <class T>
constexpr unsigned kBits = sizeof(T) * 8;
template <class T>
bool top(T v) {
  return v >> (kBits<T> - 1) & 1;
}
template <class T>
bool top_two_differ(T v) {
  return top<T>(T(v ^ T(v << 1)));
}

template <class T>
u16 shift_flags(T result, bool carry, bool overflow) {
  return u16(result_flags<T>(result) | (carry ? kHostCf : 0) | (overflow ? kHostOf : 0));
}
u16 rotate_flags(u16 old, bool carry, bool overflow) {
  return u16((old & ~(kHostCf | kHostOf)) | (carry ? kHostCf : 0) | (overflow ? kHostOf : 0));
}

// static T apply(T a, unsigned count, u16& flags): count is masked and not zero.
struct Shl {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    T result;
    bool carry;
    if constexpr (sizeof(T) == 8) {
      carry = a >> (64 - count) & 1;
      result = a << count;
    } else {
      const u64 wide = u64(a) << count;
      carry = wide >> kBits<T> & 1;
      result = T(wide);
    }
    flags = shift_flags<T>(result, carry, top<T>(result) != carry);
    return result;
  }
};
struct Shr {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    const bool carry = u64(a) >> (count - 1) & 1;
    const T result = T(u64(a) >> count);
    flags = shift_flags<T>(result, carry, top_two_differ<T>(result));
    return result;
  }
};
struct Sar {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    const i64 wide = std::make_signed_t<T>(a);
    const T result = T(wide >> count);
    flags = shift_flags<T>(result, wide >> (count - 1) & 1, false);
    return result;
  }
};
struct Rol {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    const unsigned by = count % kBits<T>;
    const T result = by ? T(a << by | a >> (kBits<T> - by)) : a;
    const bool carry = result & 1;
    flags = rotate_flags(flags, carry, top<T>(result) != carry);
    return result;
  }
};
struct Ror {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    const unsigned by = count % kBits<T>;
    const T result = by ? T(a >> by | a << (kBits<T> - by)) : a;
    flags = rotate_flags(flags, top<T>(result), top_two_differ<T>(result));
    return result;
  }
};
struct Rcl {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    bool carry = flags & kHostCf;
    for (unsigned n = count % (kBits<T> + 1); n; --n) {
      const bool out = top<T>(a);
      a = T(a << 1 | T(carry));
      carry = out;
    }
    flags = rotate_flags(flags, carry, top<T>(a) != carry);
    return a;
  }
};
struct Rcr {
  template <class T>
  static T apply(T a, unsigned count, u16& flags) {
    bool carry = flags & kHostCf;
    for (unsigned n = count % (kBits<T> + 1); n; --n) {
      const bool out = a & 1;
      a = T(a >> 1 | T(T(carry) << (kBits<T> - 1)));
      carry = out;
    }
    flags = rotate_flags(flags, carry, top_two_differ<T>(a));
    return a;
  }
};

template <class Op, class T>
T shifted(Interpreter& cpu, T a, unsigned count) {
  u16 flags = cpu.arithmetic();
  const T result = Op::template apply<T>(a, count, flags);
  cpu.set_arithmetic_raw(flags);
  return result;
}
template <class T>
unsigned masked(u64 count) {
  return count & (sizeof(T) == 8 ? 63 : 31);
}

// kFromCl: the count is CL; otherwise the immediate.
template <class T, bool kFromCl>
unsigned shift_count(Interpreter& cpu, const Instruction& i) {
  return masked<T>(kFromCl ? cpu.reg<u8>(x86::kRcx * 8) : i.immediate);
}
template <class Op, class T, bool kFromCl>
void shift_reg(Interpreter& cpu, const Instruction& i) {
  const unsigned count = shift_count<T, kFromCl>(cpu, i);
  const T a = cpu.reg<T>(i.r[0]);
  cpu.set_reg<T>(i.r[0], count ? shifted<Op, T>(cpu, a, count) : a);
}
template <class Op, class T, bool kFromCl>
void shift_mem(Interpreter& cpu, const Instruction& i) {
  const unsigned count = shift_count<T, kFromCl>(cpu, i);
  cpu.modify<T>(i, [&](T a) { return count ? shifted<Op, T>(cpu, a, count) : a; });
}

struct Shld {
  template <class T>
  static T apply(T a, T b, unsigned count, u16& flags) {
    bool carry;
    T result;
    if constexpr (sizeof(T) == 2) {
      const u64 three = u64(a) << 32 | u64(b) << 16 | a;
      result = T(three << count >> 32);
      carry = three << (count - 1) >> 47 & 1;
    } else {
      carry = a >> (kBits<T> - count) & 1;
      result = T(a << count | b >> (kBits<T> - count));
    }
    flags = shift_flags<T>(result, carry, top<T>(result) != carry);
    return result;
  }
};
struct Shrd {
  template <class T>
  static T apply(T a, T b, unsigned count, u16& flags) {
    bool carry;
    T result;
    if constexpr (sizeof(T) == 2) {
      const u64 three = u64(a) << 32 | u64(b) << 16 | a;
      result = T(three >> count);
      carry = three >> (count - 1) & 1;
    } else {
      carry = a >> (count - 1) & 1;
      result = T(a >> count | b << (kBits<T> - count));
    }
    flags = shift_flags<T>(result, carry, top_two_differ<T>(result));
    return result;
  }
};

template <class Op, class T>
T doubly_shifted(Interpreter& cpu, T a, T b, unsigned count) {
  if (count == 0) return a;
  u16 flags;
  const T result = Op::template apply<T>(a, b, count, flags);
  cpu.set_arithmetic_raw(flags);
  return result;
}
template <class Op, class T, bool kFromCl>
void double_reg(Interpreter& cpu, const Instruction& i) {
  const unsigned count = shift_count<T, kFromCl>(cpu, i);
  cpu.set_reg<T>(i.r[0], doubly_shifted<Op, T>(cpu, cpu.reg<T>(i.r[0]), cpu.reg<T>(i.r[1]), count));
}
template <class Op, class T, bool kFromCl>
void double_mem(Interpreter& cpu, const Instruction& i) {
  const unsigned count = shift_count<T, kFromCl>(cpu, i);
  cpu.modify<T>(i, [&](T a) { return doubly_shifted<Op, T>(cpu, a, cpu.reg<T>(i.r[1]), count); });
}

template <class Op, class T>
void add_shift(std::vector<Binding>& r, decode::Mnemonic m, u32 undefined) {
  r.push_back({m, shift_reg<Op, T, true>, {reg_of<T>, pattern::kR8}, Unit::kInteger, kPlain, undefined});
  r.push_back({m, shift_mem<Op, T, true>, {mem_of<T>, pattern::kR8}, Unit::kInteger, kPlain, undefined});
  r.push_back({m, shift_reg<Op, T, false>, {reg_of<T>, pattern::kImm}, Unit::kInteger, kPlain, undefined});
  r.push_back({m, shift_mem<Op, T, false>, {mem_of<T>, pattern::kImm}, Unit::kInteger, kPlain, undefined});
}
template <class Op>
void add_shifts(std::vector<Binding>& r, decode::Mnemonic m, u32 undefined) {
  add_shift<Op, u8>(r, m, undefined);
  add_shift<Op, u16>(r, m, undefined);
  add_shift<Op, u32>(r, m, undefined);
  add_shift<Op, u64>(r, m, undefined);
}
template <class Op, class T>
void add_double(std::vector<Binding>& r, decode::Mnemonic m) {
  constexpr u32 kUndefined = x86::kAf | x86::kOf;
  r.push_back({m, double_reg<Op, T, true>, {reg_of<T>, reg_of<T>, pattern::kR8}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({m, double_mem<Op, T, true>, {mem_of<T>, reg_of<T>, pattern::kR8}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({m, double_reg<Op, T, false>, {reg_of<T>, reg_of<T>, pattern::kImm}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({m, double_mem<Op, T, false>, {mem_of<T>, reg_of<T>, pattern::kImm}, Unit::kInteger, kPlain, kUndefined});
}

}  // namespace

std::span<const Binding> shift_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_shifts<Shl>(r, ZYDIS_MNEMONIC_SHL, x86::kAf | x86::kOf | x86::kCf);
    add_shifts<Shr>(r, ZYDIS_MNEMONIC_SHR, x86::kAf | x86::kOf | x86::kCf);
    add_shifts<Sar>(r, ZYDIS_MNEMONIC_SAR, x86::kAf | x86::kOf);
    add_shifts<Rol>(r, ZYDIS_MNEMONIC_ROL, x86::kOf);
    add_shifts<Ror>(r, ZYDIS_MNEMONIC_ROR, x86::kOf);
    add_shifts<Rcl>(r, ZYDIS_MNEMONIC_RCL, x86::kOf);
    add_shifts<Rcr>(r, ZYDIS_MNEMONIC_RCR, x86::kOf);
    add_double<Shld, u16>(r, ZYDIS_MNEMONIC_SHLD);
    add_double<Shld, u32>(r, ZYDIS_MNEMONIC_SHLD);
    add_double<Shld, u64>(r, ZYDIS_MNEMONIC_SHLD);
    add_double<Shrd, u16>(r, ZYDIS_MNEMONIC_SHRD);
    add_double<Shrd, u32>(r, ZYDIS_MNEMONIC_SHRD);
    add_double<Shrd, u64>(r, ZYDIS_MNEMONIC_SHRD);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
