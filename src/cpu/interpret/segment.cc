// MOV, PUSH, POP of segment registers; LDS LES LFS LGS LSS; RDFSBASE and its kin; SWAPGS.
#include "cpu/interpret/descriptor.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

using x86::SegmentName;

// After loading SS the processor takes no interrupt before the next instruction.
void load(Interpreter& cpu, u8 name, u16 selector) {
  load_segment(cpu, SegmentName(name), selector);
  cpu.mode_changed();
  if (name == x86::kSs) cpu.set_shadow();
}

void mov_to(Interpreter& cpu, const Instruction& i) {
  if (i.r[0] == x86::kCs) cpu.raise(x86::Exception::kInvalidOpcode);
  load(cpu, i.r[0], i.bits & kHasMemory ? cpu.load<u16>(i) : cpu.reg<u16>(i.r[1]));
}
template <class T>
void mov_from_reg(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], T(cpu.s().segment[i.r[1]].selector));
}
void mov_from_mem(Interpreter& cpu, const Instruction& i) { cpu.store<u16>(i, cpu.s().segment[i.r[1]].selector); }

// A push of 32 bits writes the selector only, as processors do, and leaves the upper half of the slot alone.
void push(Interpreter& cpu, const Instruction& i) {
  const u16 selector = cpu.s().segment[i.r[0]].selector;
  if (i.operand_size != 4) {
    cpu.push(selector, i.operand_size);
    return;
  }
  const u64 sp = (cpu.gpr(x86::kRsp) - 4) & cpu.stack_mask();
  cpu.write_linear<u16>(cpu.linear_of(x86::kSs, sp, 4, mmu::Access::kWrite), selector, x86::kSs);
  cpu.move_stack(-4);
}
void pop(Interpreter& cpu, const Instruction& i) {
  const u16 selector = u16(cpu.peek_stack(0, i.operand_size == 8 ? 8 : 2));
  const u64 rsp = cpu.gpr(x86::kRsp);
  // The stack size of the old SS moves the pointer.
  cpu.move_stack(i.operand_size);
  const auto fault = cpu.attempt([&] {
    load(cpu, i.r[0], selector);
  });
  if (!fault) return;
  cpu.gpr(x86::kRsp) = rsp;
  cpu.raise(*fault);
}

template <SegmentName Name>
void load_far(Interpreter& cpu, const Instruction& i) {
  const unsigned size = i.operand_size;
  const u64 linear = cpu.address(i, size + 2, mmu::Access::kRead);
  u64 offset = 0;
  if (size == 2) offset = cpu.read_linear<u16>(linear, i.segment);
  if (size == 4) offset = cpu.read_linear<u32>(linear, i.segment);
  if (size == 8) offset = cpu.read_linear<u64>(linear, i.segment);
  const u16 selector = cpu.read_linear<u16>(linear + size, i.segment);
  load(cpu, Name, selector);
  if (size == 2) cpu.set_reg<u16>(i.r[0], u16(offset));
  if (size == 4) cpu.set_reg<u32>(i.r[0], u32(offset));
  if (size == 8) cpu.set_reg<u64>(i.r[0], offset);
}

void require_fsgsbase(Interpreter& cpu) {
  if (!cpu.code64() || !(cpu.s().cr4 & x86::kCr4Fsgsbase)) cpu.raise(x86::Exception::kInvalidOpcode);
}
template <SegmentName Name, class T>
void read_base(Interpreter& cpu, const Instruction& i) {
  require_fsgsbase(cpu);
  cpu.set_reg<T>(i.r[0], T(cpu.s().segment[Name].base));
}
template <SegmentName Name, class T>
void write_base(Interpreter& cpu, const Instruction& i) {
  require_fsgsbase(cpu);
  const u64 base = cpu.reg<T>(i.r[0]);
  if (!x86::is_canonical(base)) cpu.raise(x86::Exception::kProtection, 0);
  cpu.s().segment[Name].base = base;
}

void swapgs(Interpreter& cpu, const Instruction&) {
  if (!cpu.code64()) cpu.raise(x86::Exception::kInvalidOpcode);
  if (cpu.cpl() != 0) cpu.raise(x86::Exception::kProtection, 0);
  std::swap(cpu.s().segment[x86::kGs].base, cpu.s().kernel_gs_base);
}

}  // namespace

std::span<const Binding> segment_bindings() {
  using pattern::kSreg, pattern::kMem;
  constexpr Pattern kAnyReg{pattern::kGprBit, 0};
  constexpr Pattern kAnyRm{pattern::kGprBit | pattern::kMemBit, 0};
  constexpr Unit kInt = Unit::kInteger;
  static const std::vector<Binding> rows = {
      {ZYDIS_MNEMONIC_MOV, mov_to, {kSreg, kAnyRm}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_MOV, mov_from_reg<u16>, {reg_of<u16>, kSreg}},
      {ZYDIS_MNEMONIC_MOV, mov_from_reg<u32>, {reg_of<u32>, kSreg}},
      {ZYDIS_MNEMONIC_MOV, mov_from_reg<u64>, {reg_of<u64>, kSreg}},
      {ZYDIS_MNEMONIC_MOV, mov_from_mem, {kMem, kSreg}},
      {ZYDIS_MNEMONIC_PUSH, push, {kSreg}},
      {ZYDIS_MNEMONIC_POP, pop, {kSreg}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LDS, load_far<x86::kDs>, {kAnyReg, kMem}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LES, load_far<x86::kEs>, {kAnyReg, kMem}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LFS, load_far<x86::kFs>, {kAnyReg, kMem}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LGS, load_far<x86::kGs>, {kAnyReg, kMem}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_LSS, load_far<x86::kSs>, {kAnyReg, kMem}, kInt, kEndsBlock},
      {ZYDIS_MNEMONIC_RDFSBASE, read_base<x86::kFs, u32>, {reg_of<u32>}},
      {ZYDIS_MNEMONIC_RDFSBASE, read_base<x86::kFs, u64>, {reg_of<u64>}},
      {ZYDIS_MNEMONIC_RDGSBASE, read_base<x86::kGs, u32>, {reg_of<u32>}},
      {ZYDIS_MNEMONIC_RDGSBASE, read_base<x86::kGs, u64>, {reg_of<u64>}},
      {ZYDIS_MNEMONIC_WRFSBASE, write_base<x86::kFs, u32>, {reg_of<u32>}},
      {ZYDIS_MNEMONIC_WRFSBASE, write_base<x86::kFs, u64>, {reg_of<u64>}},
      {ZYDIS_MNEMONIC_WRGSBASE, write_base<x86::kGs, u32>, {reg_of<u32>}},
      {ZYDIS_MNEMONIC_WRGSBASE, write_base<x86::kGs, u64>, {reg_of<u64>}},
      {ZYDIS_MNEMONIC_SWAPGS, swapgs, {}},
  };
  return rows;
}

}  // namespace pollux::cpu::interpret
