// x87 loads, stores, constants, and the instructions that only move registers or tags.
#include <bit>

#include "cpu/interpret/x87_bindings.h"
#include "cpu/interpret/x87_handler.h"
#include "cpu/interpret/x87_host.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using x86::X87Register;
using x87::begin;
using x87::begin_load;
using x87_host::Outcome;

// An 80-bit value as it stands in memory.
struct Extended {
  u64 significand;
  u16 sign_exponent;
} __attribute__((packed));
static_assert(sizeof(Extended) == 10);

// ---- loads ----
template <class T, Outcome (*kOp)(u64, u16)>
void load(Interpreter& r, const Instruction& i) {
  T value;
  X87Stack stack = begin_load(r, i, value);
  if (stack.full()) {
    if (stack.overflow()) stack.push(kX87Indefinite);
    return;
  }
  // Under masked exceptions, as makers differ in whether an unmasked #D pushes. Here it does not.
  const Outcome out = kOp(value, r.s().x87.control | kX87Exceptions);
  if (stack.take(out.status) & kX87Before) return;
  stack.push(out.value);
}

// No format to convert, so no exception besides the stack's.
void push_exact(X87Stack& stack, const X87Register& value) {
  if (stack.full()) {
    if (stack.overflow()) stack.push(kX87Indefinite);
    return;
  }
  stack.set_c1(false);
  stack.push(value);
}

void fld_m80(Interpreter& r, const Instruction& i) {
  Extended value;
  X87Stack stack = begin_load(r, i, value);
  push_exact(stack, {value.significand, value.sign_exponent, {}});
}

// A digit above nine, which the manuals leave undefined, counts as what it is worth.
void fbld(Interpreter& r, const Instruction& i) {
  Extended decimal;
  X87Stack stack = begin_load(r, i, decimal);
  u64 value = 0;
  for (unsigned digit = 18; digit-- > 0;) {
    const u64 from = digit < 16 ? decimal.significand >> 4 * digit : u64(decimal.sign_exponent >> 4 * (digit - 16));
    value = 10 * value + (from & 15);
  }
  const u16 sign = decimal.sign_exponent & 0x8000;
  if (value == 0) return push_exact(stack, {0, sign, {}});
  const unsigned shift = unsigned(std::countl_zero(value));
  push_exact(stack, {value << shift, u16(sign | (16383 + 63 - shift)), {}});
}

void fld_register(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(i.r[0])) {  // an empty source is found before a full stack
    if (stack.underflow()) stack.push(kX87Indefinite);
    return;
  }
  push_exact(stack, stack.st(i.r[0]));
}

template <X87Register (*kOp)(u16)>
void constant(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  push_exact(stack, kOp(r.s().x87.control));
}

// ---- stores ----
// What is not stored because of an exception still faults as a store.
template <class T>
void check_store(Interpreter& r, const Instruction& i) {
  r.check_write(r.address(i, sizeof(T), mmu::Access::kWrite), sizeof(T), i.segment);
}

// The store happens before anything else is committed: it may fault. An unmasked exception, save inexact, stores
// nothing and pops nothing.
template <class T, bool kPop>
void store_outcome(Interpreter& r, const Instruction& i, X87Stack& stack, const Outcome& out) {
  const u16 unmasked = out.status & u16(~r.s().x87.control) & kX87Exceptions;
  const bool completes = !(unmasked & ~kX87Pe);
  if (completes) {
    T value;
    std::memcpy(&value, &out.value, sizeof value);
    r.store<T>(i, value);
  } else {
    check_store<T>(r, i);
  }
  x87::note_instruction(r, i);
  stack.take(completes ? out.status : out.status & ~(kX87Pe | kX87C1));  // nothing is stored, so nothing was rounded
  if (completes && kPop) stack.pop();
}

// indefinite: what an empty register stores, as the low bytes in memory order.
template <class T, bool kPop>
void store_empty(Interpreter& r, const Instruction& i, X87Stack& stack, const T& indefinite) {
  const bool masked = r.s().x87.control & kX87Ie;
  if (masked) {
    r.store<T>(i, indefinite);
  } else {
    check_store<T>(r, i);
  }
  x87::note_instruction(r, i);
  stack.underflow();
  if (masked && kPop) stack.pop();
}

template <class T>
T integer_indefinite() { return T(T(1) << (sizeof(T) * 8 - 1)); }
template <class T>
T float_indefinite() { return T(sizeof(T) == 4 ? 0xffc00000 : 0xfff8000000000000); }

template <class T, Outcome (*kOp)(const X87Register&, u16), T (*kIndefinite)(), bool kPop>
void store(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  X87Stack stack(r.s().x87);
  if (stack.empty(0)) return store_empty<T, kPop>(r, i, stack, kIndefinite());
  store_outcome<T, kPop>(r, i, stack, kOp(stack.st(0), r.s().x87.control));
}

void fbstp(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  X87Stack stack(r.s().x87);
  if (stack.empty(0)) return store_empty<Extended, true>(r, i, stack, {0xc000000000000000, 0xffff});
  store_outcome<Extended, true>(r, i, stack, x87_host::fbstp(stack.st(0), r.s().x87.control));
}

void fstp_m80(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  X87Stack stack(r.s().x87);
  if (stack.empty(0)) {
    return store_empty<Extended, true>(r, i, stack, {kX87Indefinite.significand, kX87Indefinite.sign_exponent});
  }
  store_outcome<Extended, true>(r, i, stack, {stack.st(0), 0});
}

template <bool kPop>
void fst_register(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  X87Register value = kX87Indefinite;
  if (stack.empty(0)) {
    if (!stack.underflow()) return;
  } else {
    value = stack.st(0);
    stack.set_c1(false);
  }
  stack.set(i.r[0], value);
  if (kPop) stack.pop();
}

// Undocumented: FSTP that takes no notice of an empty ST(0).
void fstpnce(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (!stack.empty(0)) stack.set(i.r[0], stack.st(0));
  stack.set_c1(false);
  stack.pop();
}

// ---- registers and tags ----
void fxch(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0) || stack.empty(i.r[0])) {
    if (!stack.underflow()) return;
    if (stack.empty(0)) stack.set(0, kX87Indefinite);
    if (stack.empty(i.r[0])) stack.set(i.r[0], kX87Indefinite);
  } else {
    stack.set_c1(false);
  }
  const X87Register st0 = stack.st(0);
  stack.set(0, stack.st(i.r[0]));
  stack.set(i.r[0], st0);
}

// kIf: flags of which one must be set, in the layout of RFLAGS; kWant: whether it must.
template <u64 kIf, bool kWant>
void fcmov(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0) || stack.empty(i.r[1])) {
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  if (((r.flags() & kIf) != 0) == kWant) stack.set(0, stack.st(i.r[1]));
}

void ffree(Interpreter& r, const Instruction& i) { begin(r, i).free(i.r[0]); }
void ffreep(Interpreter& r, const Instruction& i) {  // undocumented; all processors do this
  X87Stack stack = begin(r, i);
  stack.free(i.r[0]);
  stack.pop();
}
void fdecstp(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  stack.set_c1(false);
  stack.set_top(stack.top() - 1);
}
void fincstp(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  stack.set_c1(false);
  stack.set_top(stack.top() + 1);
}
void fnop(Interpreter& r, const Instruction& i) { begin(r, i); }

constexpr Unit kU = Unit::kX87;
constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_FLD, load<u32, x87_host::fld_m32>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FLD, load<u64, x87_host::fld_m64>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FLD, fld_m80, {kM80}, kU},
    {ZYDIS_MNEMONIC_FLD, fld_register, {kSt}, kU},
    {ZYDIS_MNEMONIC_FILD, load<u16, x87_host::fild_m16>, {kM16}, kU},
    {ZYDIS_MNEMONIC_FILD, load<u32, x87_host::fild_m32>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FILD, load<u64, x87_host::fild_m64>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FBLD, fbld, {kM80}, kU},
    {ZYDIS_MNEMONIC_FLD1, constant<x87_host::fld1>, {}, kU},
    {ZYDIS_MNEMONIC_FLDL2T, constant<x87_host::fldl2t>, {}, kU},
    {ZYDIS_MNEMONIC_FLDL2E, constant<x87_host::fldl2e>, {}, kU},
    {ZYDIS_MNEMONIC_FLDPI, constant<x87_host::fldpi>, {}, kU},
    {ZYDIS_MNEMONIC_FLDLG2, constant<x87_host::fldlg2>, {}, kU},
    {ZYDIS_MNEMONIC_FLDLN2, constant<x87_host::fldln2>, {}, kU},
    {ZYDIS_MNEMONIC_FLDZ, constant<x87_host::fldz>, {}, kU},
    {ZYDIS_MNEMONIC_FST, store<u32, x87_host::fst_m32, float_indefinite<u32>, false>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FST, store<u64, x87_host::fst_m64, float_indefinite<u64>, false>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FST, fst_register<false>, {kSt}, kU},
    {ZYDIS_MNEMONIC_FSTP, store<u32, x87_host::fst_m32, float_indefinite<u32>, true>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FSTP, store<u64, x87_host::fst_m64, float_indefinite<u64>, true>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FSTP, fstp_m80, {kM80}, kU},
    {ZYDIS_MNEMONIC_FSTP, fst_register<true>, {kSt}, kU},
    {ZYDIS_MNEMONIC_FSTPNCE, fstpnce, {kSt}, kU},
    {ZYDIS_MNEMONIC_FIST, store<u16, x87_host::fist_m16, integer_indefinite<u16>, false>, {kM16}, kU},
    {ZYDIS_MNEMONIC_FIST, store<u32, x87_host::fist_m32, integer_indefinite<u32>, false>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FISTP, store<u16, x87_host::fist_m16, integer_indefinite<u16>, true>, {kM16}, kU},
    {ZYDIS_MNEMONIC_FISTP, store<u32, x87_host::fist_m32, integer_indefinite<u32>, true>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FISTP, store<u64, x87_host::fist_m64, integer_indefinite<u64>, true>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FISTTP, store<u16, x87_host::fisttp_m16, integer_indefinite<u16>, true>, {kM16}, kU},
    {ZYDIS_MNEMONIC_FISTTP, store<u32, x87_host::fisttp_m32, integer_indefinite<u32>, true>, {kM32}, kU},
    {ZYDIS_MNEMONIC_FISTTP, store<u64, x87_host::fisttp_m64, integer_indefinite<u64>, true>, {kM64}, kU},
    {ZYDIS_MNEMONIC_FBSTP, fbstp, {kM80}, kU},
    {ZYDIS_MNEMONIC_FXCH, fxch, {kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVB, fcmov<x86::kCf, true>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVE, fcmov<x86::kZf, true>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVBE, fcmov<x86::kCf | x86::kZf, true>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVU, fcmov<x86::kPf, true>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVNB, fcmov<x86::kCf, false>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVNE, fcmov<x86::kZf, false>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVNBE, fcmov<x86::kCf | x86::kZf, false>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FCMOVNU, fcmov<x86::kPf, false>, {kSt, kSt}, kU},
    {ZYDIS_MNEMONIC_FFREE, ffree, {kSt}, kU},
    {ZYDIS_MNEMONIC_FFREEP, ffreep, {kSt}, kU},
    {ZYDIS_MNEMONIC_FDECSTP, fdecstp, {}, kU},
    {ZYDIS_MNEMONIC_FINCSTP, fincstp, {}, kU},
    {ZYDIS_MNEMONIC_FNOP, fnop, {}, kU},
};

}  // namespace

std::span<const Binding> x87_move_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
