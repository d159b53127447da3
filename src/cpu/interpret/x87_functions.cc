// The handlers of the transcendental instructions: what is on the stack, x87_transcendental.h computes.
#include "cpu/interpret/x87_bindings.h"
#include "cpu/interpret/x87_handler.h"
#include "cpu/interpret/x87_transcendental.h"

namespace pollux::cpu::interpret {

namespace {

using x86::X87Register;
using x87::begin;
using x87_host::Outcome;

using Unary = Outcome (*)(const X87Register&, u16);
using Binary = Outcome (*)(const X87Register&, const X87Register&, u16);

constexpr X87Register kOnePushed{u64(1) << 63, 0x3fff, {}};

// C2 says that the operand was out of range: it stays. The other instructions of this file leave C2 as it is.
template <Unary kOp, u16 kConditions>
void unary(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0)) {
    r.s().x87.status &= u16(~(kConditions & kX87C2));
    if (stack.underflow()) stack.set(0, kX87Indefinite);
    return;
  }
  const Outcome out = kOp(stack.st(0), r.s().x87.control);
  if (!(stack.take(out.status, kConditions) & kX87Before)) stack.set(0, out.value);
}

// The result replaces ST(1), and ST(0) is popped.
template <Binary kOp>
void binary(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (stack.empty(0) || stack.empty(1)) {
    if (!stack.underflow()) return;
    stack.set(1, kX87Indefinite);
  } else {
    const Outcome out = kOp(stack.st(0), stack.st(1), r.s().x87.control);
    if (stack.take(out.status) & kX87Before) return;
    stack.set(1, out.value);
  }
  stack.pop();
}

// An instruction that replaces ST(0) by one value and pushes another. True when a stack fault settled everything.
bool two_results_fault(Interpreter& r, X87Stack& stack) {
  if (!stack.empty(0) && !stack.full()) return false;
  r.s().x87.status &= u16(~kX87C2);
  if (stack.fault(!stack.empty(0))) {
    stack.set(0, kX87Indefinite);
    stack.push(kX87Indefinite);
  }
  return true;
}

void fptan(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (two_results_fault(r, stack)) return;
  const Outcome out = x87::fptan(stack.st(0), r.s().x87.control);
  const u16 unmasked = stack.take(out.status, kX87C1 | kX87C2);
  if ((unmasked & kX87Before) || (out.status & kX87C2)) return;
  stack.set(0, out.value);
  // A NaN is pushed twice, so that the quotient of the two is a NaN.
  const bool is_nan = (out.value.sign_exponent & 0x7fff) == 0x7fff;
  stack.push(is_nan ? out.value : kOnePushed);
}

void fsincos(Interpreter& r, const Instruction& i) {
  X87Stack stack = begin(r, i);
  if (two_results_fault(r, stack)) return;
  const u16 control = r.s().x87.control;
  const Outcome sine = x87::fsin(stack.st(0), control);
  const Outcome cosine = x87::fcos(stack.st(0), control);
  // C1 is the cosine's, the last one computed.
  const u16 status = u16((sine.status & ~kX87C1) | cosine.status);
  const u16 unmasked = stack.take(status, kX87C1 | kX87C2);
  if ((unmasked & kX87Before) || (status & kX87C2)) return;
  stack.set(0, sine.value);
  stack.push(cosine.value);
}

constexpr Unit kU = Unit::kX87;
constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_F2XM1, unary<x87::f2xm1, kX87C1>, {}, kU},
    {ZYDIS_MNEMONIC_FSIN, unary<x87::fsin, kX87C1 | kX87C2>, {}, kU},
    {ZYDIS_MNEMONIC_FCOS, unary<x87::fcos, kX87C1 | kX87C2>, {}, kU},
    {ZYDIS_MNEMONIC_FSINCOS, fsincos, {}, kU},
    {ZYDIS_MNEMONIC_FPTAN, fptan, {}, kU},
    {ZYDIS_MNEMONIC_FPATAN, binary<x87::fpatan>, {}, kU},
    {ZYDIS_MNEMONIC_FYL2X, binary<x87::fyl2x>, {}, kU},
    {ZYDIS_MNEMONIC_FYL2XP1, binary<x87::fyl2xp1>, {}, kU},
};

}  // namespace

std::span<const Binding> x87_function_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
