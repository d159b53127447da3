// MUL IMUL DIV IDIV. Undefined, and what it is here: SF ZF AF PF after a multiplication become 0; division leaves all
// flags as they were.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

template <class T> struct WiderOf;
template <> struct WiderOf<u8> { using type = u16; };
template <> struct WiderOf<u16> { using type = u32; };
template <> struct WiderOf<u32> { using type = u64; };
template <> struct WiderOf<u64> { using type = u128; };
template <> struct WiderOf<i8> { using type = i16; };
template <> struct WiderOf<i16> { using type = i32; };
template <> struct WiderOf<i32> { using type = i64; };
template <> struct WiderOf<i64> { using type = __int128; };
template <class T>
using Wider = typename WiderOf<T>::type;

constexpr u8 kD = x86::kRdx * 8;

void set_overflow(Interpreter& cpu, bool overflow) {
  cpu.set_arithmetic_raw(overflow ? u16(kHostFixed | kHostCf | kHostOf) : kHostFixed);
}

// The pair that holds a double-width value: AX, DX:AX, EDX:EAX, RDX:RAX.
template <class T>
void set_pair(Interpreter& cpu, Wider<T> value) {
  if constexpr (sizeof(T) == 1) {
    cpu.set_reg<u16>(0, u16(value));
  } else {
    cpu.set_reg<T>(0, T(value));
    cpu.set_reg<T>(kD, T(value >> (sizeof(T) * 8)));
  }
}
template <class T>
Wider<T> pair(Interpreter& cpu) {
  if constexpr (sizeof(T) == 1) {
    return Wider<T>(cpu.reg<u16>(0));
  } else {
    using U = std::make_unsigned_t<T>;
    return Wider<T>(Wider<U>(cpu.reg<U>(kD)) << (sizeof(T) * 8) | cpu.reg<U>(0));
  }
}

// T signed: IMUL of one operand; unsigned: MUL.
template <class T>
void multiply(Interpreter& cpu, T by) {
  const Wider<T> product = Wider<T>(cpu.reg<T>(0)) * by;
  set_pair<T>(cpu, product);
  set_overflow(cpu, product != Wider<T>(T(product)));
}
template <class T>
void multiply_reg(Interpreter& cpu, const Instruction& i) {
  multiply<T>(cpu, cpu.reg<T>(i.r[0]));
}
template <class T>
void multiply_mem(Interpreter& cpu, const Instruction& i) {
  multiply<T>(cpu, cpu.load<T>(i));
}

// IMUL of two and three operands.
template <class T>
void product_to(Interpreter& cpu, const Instruction& i, T a, T b) {
  const Wider<T> product = Wider<T>(a) * b;
  cpu.set_reg<T>(i.r[0], T(product));
  set_overflow(cpu, product != Wider<T>(T(product)));
}
template <class T>
void imul_reg(Interpreter& cpu, const Instruction& i) {
  product_to<T>(cpu, i, cpu.reg<T>(i.r[0]), cpu.reg<T>(i.r[1]));
}
template <class T>
void imul_mem(Interpreter& cpu, const Instruction& i) {
  const T b = cpu.load<T>(i);
  product_to<T>(cpu, i, cpu.reg<T>(i.r[0]), b);
}
template <class T>
void imul_reg_imm(Interpreter& cpu, const Instruction& i) {
  product_to<T>(cpu, i, cpu.reg<T>(i.r[1]), T(i.immediate));
}
template <class T>
void imul_mem_imm(Interpreter& cpu, const Instruction& i) {
  product_to<T>(cpu, i, cpu.load<T>(i), T(i.immediate));
}

// T signed: IDIV; unsigned: DIV. #DE on zero and when the quotient does not fit.
template <class T>
void divide(Interpreter& cpu, T by) {
  if (by == 0) cpu.raise(x86::Exception::kDivide);
  const Wider<T> dividend = pair<T>(cpu);
  if constexpr (std::is_signed_v<T>) {
    // The smallest dividend by -1 does not even fit the wide type.
    using Wide = Wider<T>;
    const Wide smallest = Wide(Wider<std::make_unsigned_t<T>>(1) << (sizeof(T) * 16 - 1));
    if (by == -1 && dividend == smallest) cpu.raise(x86::Exception::kDivide);
  }
  const Wider<T> quotient = dividend / by;
  const Wider<T> rest = dividend % by;
  if (quotient != Wider<T>(T(quotient))) cpu.raise(x86::Exception::kDivide);
  if constexpr (sizeof(T) == 1) {
    cpu.set_reg<u16>(0, u16(u8(quotient) | u16(u8(rest)) << 8));
  } else {
    cpu.set_reg<T>(0, T(quotient));
    cpu.set_reg<T>(kD, T(rest));
  }
}
// The common case of 64 bits fits the host's own division, which is several times faster than a 128-bit one.
template <>
void divide<u64>(Interpreter& cpu, u64 by) {
  u64 low = cpu.gpr(x86::kRax), high = cpu.gpr(x86::kRdx);
  if (by <= high) cpu.raise(x86::Exception::kDivide);  // zero too
  asm("divq %[by]" : "+a"(low), "+d"(high) : [by] "r"(by) : "cc");
  cpu.gpr(x86::kRax) = low;
  cpu.gpr(x86::kRdx) = high;
}
template <class T>
void divide_reg(Interpreter& cpu, const Instruction& i) {
  divide<T>(cpu, cpu.reg<T>(i.r[0]));
}
template <class T>
void divide_mem(Interpreter& cpu, const Instruction& i) {
  divide<T>(cpu, cpu.load<T>(i));
}

constexpr u32 kMultiplyUndefined = x86::kSf | x86::kZf | x86::kAf | x86::kPf;

template <class U>
void add_one_operand(std::vector<Binding>& r) {
  using S = std::make_signed_t<U>;
  constexpr u32 kAll = x86::kArithmeticFlags;
  r.push_back({ZYDIS_MNEMONIC_MUL, multiply_reg<U>, {reg_of<U>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({ZYDIS_MNEMONIC_MUL, multiply_mem<U>, {mem_of<U>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({ZYDIS_MNEMONIC_IMUL, multiply_reg<S>, {reg_of<U>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({ZYDIS_MNEMONIC_IMUL, multiply_mem<S>, {mem_of<U>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({ZYDIS_MNEMONIC_DIV, divide_reg<U>, {reg_of<U>}, Unit::kInteger, kPlain, kAll});
  r.push_back({ZYDIS_MNEMONIC_DIV, divide_mem<U>, {mem_of<U>}, Unit::kInteger, kPlain, kAll});
  r.push_back({ZYDIS_MNEMONIC_IDIV, divide_reg<S>, {reg_of<U>}, Unit::kInteger, kPlain, kAll});
  r.push_back({ZYDIS_MNEMONIC_IDIV, divide_mem<S>, {mem_of<U>}, Unit::kInteger, kPlain, kAll});
}
template <class S>
void add_imul(std::vector<Binding>& r) {
  constexpr auto m = ZYDIS_MNEMONIC_IMUL;
  using pattern::kImm;
  r.push_back({m, imul_reg<S>, {reg_of<S>, reg_of<S>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({m, imul_mem<S>, {reg_of<S>, mem_of<S>}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({m, imul_reg_imm<S>, {reg_of<S>, reg_of<S>, kImm}, Unit::kInteger, kPlain, kMultiplyUndefined});
  r.push_back({m, imul_mem_imm<S>, {reg_of<S>, mem_of<S>, kImm}, Unit::kInteger, kPlain, kMultiplyUndefined});
}

}  // namespace

std::span<const Binding> multiply_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_one_operand<u8>(r);
    add_one_operand<u16>(r);
    add_one_operand<u32>(r);
    add_one_operand<u64>(r);
    add_imul<i16>(r);
    add_imul<i32>(r);
    add_imul<i64>(r);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
