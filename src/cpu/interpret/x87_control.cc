// x87 control: control and status words, environment, whole state. None of these touches FOP, FIP or FDP.
#include "cpu/interpret/x87_bindings.h"
#include "cpu/interpret/x87_handler.h"
#include "cpu/interpret/x87_image.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using mmu::Access;

x87::Layout layout(Interpreter& r, const Instruction& i) {
  return {.wide = i.operand_size != 2, .protected_layout = r.protected_mode() && !r.v8086()};
}

void fldcw(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  const u16 value = r.load<u16>(i);
  r.s().x87.control = (value & kX87ControlBits) | kX87ControlFixed;
  X87Stack(r.s().x87).update_summary();
}
void fnstcw(Interpreter& r, const Instruction& i) { r.store<u16>(i, r.s().x87.control); }
void fnstsw(Interpreter& r, const Instruction& i) { r.store<u16>(i, r.s().x87.status); }
void fnstsw_ax(Interpreter& r, const Instruction& i) { r.set_reg<u16>(i.r[0], r.s().x87.status); }
void fnclex(Interpreter& r, const Instruction&) {
  r.s().x87.status &= u16(~(kX87Exceptions | kX87Sf | kX87Es | kX87Busy));
}
void fninit(Interpreter& r, const Instruction&) { x87::initialize(r.s().x87); }
void fwait(Interpreter& r, const Instruction&) { x87::wait(r); }
void nothing(Interpreter&, const Instruction&) {}  // FNENI, FNDISI, FNSETPM: of older coprocessors

void fnstenv(Interpreter& r, const Instruction& i) {
  const x87::Layout how = layout(r, i);
  x87::Environment image;
  x87::put_environment(r.s().x87, how, image);
  r.write_bytes(r.address(i, how.size(), Access::kWrite), image.data(), how.size(), i.segment);
  r.s().x87.control |= kX87Exceptions;
  X87Stack(r.s().x87).update_summary();
}

void fldenv(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  const x87::Layout how = layout(r, i);
  x87::Environment image;
  r.read_bytes(r.address(i, how.size(), Access::kRead), image.data(), how.size(), i.segment);
  x87::get_environment(r.s().x87, how, image);
}

struct WholeState {
  std::array<u8, 28 + 80> bytes;
};

void fnsave(Interpreter& r, const Instruction& i) {
  const x87::Layout how = layout(r, i);
  x86::X87& f = r.s().x87;
  x87::Environment environment;
  x87::put_environment(f, how, environment);
  WholeState image;
  std::memcpy(image.bytes.data(), environment.data(), how.size());
  for (unsigned n = 0; n < 8; ++n)
    std::memcpy(&image.bytes[how.size() + 10 * n], &f.registers[X87Stack(f).physical(n)], 10);
  const unsigned size = how.size() + 80;
  r.write_bytes(r.address(i, size, Access::kWrite), image.bytes.data(), size, i.segment);
  x87::initialize(f);
}

void frstor(Interpreter& r, const Instruction& i) {
  x87::wait(r);
  const x87::Layout how = layout(r, i);
  x86::X87& f = r.s().x87;
  WholeState image;
  const unsigned size = how.size() + 80;
  r.read_bytes(r.address(i, size, Access::kRead), image.bytes.data(), size, i.segment);
  x87::Environment environment{};
  std::memcpy(environment.data(), image.bytes.data(), how.size());
  x87::get_environment(f, how, environment);
  for (unsigned n = 0; n < 8; ++n) {
    x86::X87Register value;
    std::memcpy(&value.significand, &image.bytes[how.size() + 10 * n], 8);
    std::memcpy(&value.sign_exponent, &image.bytes[how.size() + 10 * n + 8], 2);
    f.registers[X87Stack(f).physical(n)] = value;
  }
}

constexpr Unit kU = Unit::kX87;
constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_FLDCW, fldcw, {kMem}, kU},
    {ZYDIS_MNEMONIC_FNSTCW, fnstcw, {kMem}, kU},
    {ZYDIS_MNEMONIC_FNSTSW, fnstsw_ax, {kR16}, kU},
    {ZYDIS_MNEMONIC_FNSTSW, fnstsw, {kMem}, kU},
    {ZYDIS_MNEMONIC_FNCLEX, fnclex, {}, kU},
    {ZYDIS_MNEMONIC_FNINIT, fninit, {}, kU},
    {ZYDIS_MNEMONIC_FWAIT, fwait, {}, Unit::kWait},
    {ZYDIS_MNEMONIC_FENI8087_NOP, nothing, {}, kU},
    {ZYDIS_MNEMONIC_FDISI8087_NOP, nothing, {}, kU},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, nothing, {}, kU},
    {ZYDIS_MNEMONIC_FNSTENV, fnstenv, {kMem}, kU},
    {ZYDIS_MNEMONIC_FLDENV, fldenv, {kMem}, kU},
    {ZYDIS_MNEMONIC_FNSAVE, fnsave, {kMem}, kU},
    {ZYDIS_MNEMONIC_FRSTOR, frstor, {kMem}, kU},
};

}  // namespace

std::span<const Binding> x87_control_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
