// x87 arithmetic that IEEE 754 defines exactly, comparisons, and the instructions on one register.
#include "cpu/interpret/x87_bindings.h"
#include "cpu/interpret/x87_handler.h"
#include "cpu/interpret/x87_host.h"
#include "cpu/interpret/x87_remainder.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using x86::X87Register;
using x87::begin;
using x87::begin_load;
using x87_host::Format;
using x87_host::Memory;
using x87_host::Outcome;

enum class Pop : u8 { kNo, kOnce, kTwice };

// ---- destination and source in registers ----
template <x87_host::Binary kOp, Pop kPop>
void registers(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  const unsigned to = i.r[0], from = i.r[1];
  if (stack.empty(to) || stack.empty(from)) {
    if (!stack.underflow()) return;
    stack.set(to, kX87Indefinite);
  } else {
    const Outcome out = kOp(stack.st(to), stack.st(from), r.s().x87.control);
    if (stack.take(out.status) & kX87Before) return;
    stack.set(to, out.value);
  }
  if (kPop == Pop::kOnce) stack.pop();
}

// ---- ST(0) and memory ----
template <class T, auto kOp>
void memory(Interpreter& r, const Instruction& i) {
  T value;
  X87Stack stack = begin_load(r, i, value);
  if (stack.empty(0)) {
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  const Outcome out = kOp(stack.st(0), value, r.s().x87.control);
  if (!(stack.take(out.status) & kX87Before)) stack.set(0, out.value);
}

// ---- ST(0) and ST(1) to ST(0) ----
// Of finite numbers by x87_remainder.h; what is left, infinities, NaNs and zeroes, is as the manual's table says.
template <x87_host::Binary kFinite, x87_host::Binary kHost>
Outcome remainder(const X87Register& st0, const X87Register& st1, u16 control) {
  const bool finite = x87::has_remainder(st0) && x87::has_remainder(st1);
  return finite ? kFinite(st0, st1, control) : kHost(st0, st1, control);
}

template <x87_host::Binary kOp, u16 kConditions>
void with_st1(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0) || stack.empty(1)) {
    if (kConditions & kX87C2) r.s().x87.status &= u16(~kX87C2);  // a remainder is complete then
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  const Outcome out = kOp(stack.st(0), stack.st(1), r.s().x87.control);
  // Without a quotient its low bits, C0 and C3, keep their value.
  const bool no_quotient = (out.value.sign_exponent & 0x7fff) == 0x7fff ||
                           (out.status & ~r.s().x87.control & kX87Before);
  const u16 conditions = no_quotient ? kConditions & (kX87C1 | kX87C2) : kConditions;
  if (!(stack.take(out.status, conditions) & kX87Before)) stack.set(0, out.value);
}

// ---- ST(0) ----
template <Outcome (*kOp)(const X87Register&, u16)>
void unary(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0)) {
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  const Outcome out = kOp(stack.st(0), r.s().x87.control);
  if (!(stack.take(out.status) & kX87Before)) stack.set(0, out.value);
}

template <u16 kKeep, u16 kFlip>
void sign(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0)) {
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  X87Register value = stack.st(0);
  value.sign_exponent = (value.sign_exponent & kKeep) ^ kFlip;
  stack.set_c1(false);
  stack.set(0, value);
}

void fxtract(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0) || stack.full()) {
    if (!stack.fault(!stack.empty(0))) return;
    stack.set(0, kX87Indefinite);
    stack.push(kX87Indefinite);
    return;
  }
  const x87_host::Extracted out = x87_host::fxtract(stack.st(0), r.s().x87.control);
  if (stack.take(out.status) & kX87Before) return;
  stack.set(0, out.exponent);
  stack.push(out.significand);
}

// ---- comparisons: C3 C2 C0 = ZF PF CF ----
constexpr u16 kUnordered = kX87C0 | kX87C2 | kX87C3;
using Compare = u16 (*)(const X87Register&, const X87Register&, u16);

// Compared under masked exceptions: makers differ in what an unmasked one does to the condition codes. Here they are as
// without it, and the operands and the stack are left alone.
constexpr u16 masked(u16 control) { return control | kX87Exceptions; }

void finish_compare(X87Stack& stack, u16 status, Pop pop) {
  if (stack.take(status, kX87Conditions) & kX87Before) return;
  if (pop != Pop::kNo) stack.pop();
  if (pop == Pop::kTwice) stack.pop();
}

bool compare_underflow(Interpreter& r, X87Stack& stack, bool missing, Pop pop) {
  if (!missing) return false;
  const bool masked = stack.underflow();
  r.s().x87.status |= kUnordered;
  if (masked && pop != Pop::kNo) stack.pop();
  if (masked && pop == Pop::kTwice) stack.pop();
  return true;
}

template <Compare kOp, Pop kPop>
void compare_st(Interpreter& r, const Instruction& i, unsigned from) {
  X87Stack stack = begin(r, i);
  if (compare_underflow(r, stack, stack.empty(0) || stack.empty(from), kPop)) return;
  finish_compare(stack, kOp(stack.st(0), stack.st(from), masked(r.s().x87.control)), kPop);
}
template <Compare kOp, Pop kPop, unsigned kPlace>  // kPlace: which operand names ST(i)
void compare_register(Interpreter& r, const Instruction& i) {
  compare_st<kOp, kPop>(r, i, i.r[kPlace]);
}
template <Compare kOp>
void compare_twice(Interpreter& r, const Instruction& i) {
  compare_st<kOp, Pop::kTwice>(r, i, 1);
}

template <class T, auto kOp, Pop kPop>
void compare_memory(Interpreter& r, const Instruction& i) {
  T value;
  X87Stack stack = begin_load(r, i, value);
  if (compare_underflow(r, stack, stack.empty(0), kPop)) return;
  finish_compare(stack, kOp(stack.st(0), value, masked(r.s().x87.control)).status, kPop);
}

// FCOMI family: ZF PF CF as the comparison says, SF OF AF cleared. Unmasked #I leaves the flags.
template <Compare kOp, Pop kPop>
void compare_flags(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  u16 status = kUnordered;
  if (stack.empty(0) || stack.empty(i.r[1])) {
    if (!stack.underflow()) return;
  } else {
    status = kOp(stack.st(0), stack.st(i.r[1]), masked(r.s().x87.control));
    if (stack.take(status) & kX87Before) return;
  }
  u64 flags = 0;
  if (status & kX87C0) flags |= x86::kCf;
  if (status & kX87C2) flags |= x86::kPf;
  if (status & kX87C3) flags |= x86::kZf;
  r.set_arithmetic(flags);
  if (kPop == Pop::kOnce) stack.pop();
}

void ftst(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (compare_underflow(r, stack, stack.empty(0), Pop::kNo)) return;
  stack.take(x87_host::ftst(stack.st(0), masked(r.s().x87.control)), kX87Conditions);
}

void fxam(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  u16 status = x87_host::fxam(stack.st(0)) & kX87Conditions;
  if (stack.empty(0)) status = (status & kX87C1) | kX87C3 | kX87C0;
  stack.take(status, kX87Conditions);
}

#define POLLUX_REGISTERS(NAME, name)                                                          \
  {ZYDIS_MNEMONIC_F##NAME, registers<x87_host::f##name, Pop::kNo>, {kSt, kSt}, Unit::kX87},   \
  {ZYDIS_MNEMONIC_F##NAME##P, registers<x87_host::f##name, Pop::kOnce>, {kSt, kSt}, Unit::kX87}
#define POLLUX_MEMORY(NAME, name)                                                                        \
  {ZYDIS_MNEMONIC_F##NAME, memory<u32, Memory<Format::kFloat32>::f##name>, {kM32}, Unit::kX87},          \
  {ZYDIS_MNEMONIC_F##NAME, memory<u64, Memory<Format::kFloat64>::f##name>, {kM64}, Unit::kX87},          \
  {ZYDIS_MNEMONIC_FI##NAME, memory<u16, Memory<Format::kInt16>::f##name>, {kM16}, Unit::kX87},           \
  {ZYDIS_MNEMONIC_FI##NAME, memory<u32, Memory<Format::kInt32>::f##name>, {kM32}, Unit::kX87}
#define POLLUX_COMPARE_MEMORY(NAME, pop)                                                                       \
  {ZYDIS_MNEMONIC_F##NAME, compare_memory<u32, Memory<Format::kFloat32>::fcom, pop>, {kM32}, Unit::kX87},      \
  {ZYDIS_MNEMONIC_F##NAME, compare_memory<u64, Memory<Format::kFloat64>::fcom, pop>, {kM64}, Unit::kX87},      \
  {ZYDIS_MNEMONIC_FI##NAME, compare_memory<u16, Memory<Format::kInt16>::fcom, pop>, {kM16}, Unit::kX87},       \
  {ZYDIS_MNEMONIC_FI##NAME, compare_memory<u32, Memory<Format::kInt32>::fcom, pop>, {kM32}, Unit::kX87}

constexpr Binding kRows[] = {
    POLLUX_REGISTERS(ADD, add), POLLUX_REGISTERS(MUL, mul), POLLUX_REGISTERS(SUB, sub),
    POLLUX_REGISTERS(SUBR, subr), POLLUX_REGISTERS(DIV, div), POLLUX_REGISTERS(DIVR, divr),
    POLLUX_MEMORY(ADD, add), POLLUX_MEMORY(MUL, mul), POLLUX_MEMORY(SUB, sub),
    POLLUX_MEMORY(SUBR, subr), POLLUX_MEMORY(DIV, div), POLLUX_MEMORY(DIVR, divr),
    {ZYDIS_MNEMONIC_FSCALE, with_st1<x87_host::fscale, kX87C1>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FPREM, with_st1<remainder<x87::fprem, x87_host::fprem>, kX87Conditions>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FPREM1, with_st1<remainder<x87::fprem1, x87_host::fprem1>, kX87Conditions>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FSQRT, unary<x87_host::fsqrt>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FRNDINT, unary<x87_host::frndint>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FCHS, sign<0xffff, 0x8000>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FABS, sign<0x7fff, 0>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FXTRACT, fxtract, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FCOM, compare_register<x87_host::fcom, Pop::kNo, 0>, {kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FCOMP, compare_register<x87_host::fcom, Pop::kOnce, 0>, {kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FCOMPP, compare_twice<x87_host::fcom>, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FUCOM, compare_register<x87_host::fucom, Pop::kNo, 0>, {kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FUCOMP, compare_register<x87_host::fucom, Pop::kOnce, 1>, {kSt, kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FUCOMPP, compare_twice<x87_host::fucom>, {}, Unit::kX87},
    POLLUX_COMPARE_MEMORY(COM, Pop::kNo), POLLUX_COMPARE_MEMORY(COMP, Pop::kOnce),
    {ZYDIS_MNEMONIC_FCOMI, compare_flags<x87_host::fcom, Pop::kNo>, {kSt, kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FCOMIP, compare_flags<x87_host::fcom, Pop::kOnce>, {kSt, kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FUCOMI, compare_flags<x87_host::fucom, Pop::kNo>, {kSt, kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FUCOMIP, compare_flags<x87_host::fucom, Pop::kOnce>, {kSt, kSt}, Unit::kX87},
    {ZYDIS_MNEMONIC_FTST, ftst, {}, Unit::kX87},
    {ZYDIS_MNEMONIC_FXAM, fxam, {}, Unit::kX87},
};

}  // namespace

std::span<const Binding> x87_arithmetic_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
