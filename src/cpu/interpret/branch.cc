// Near JMP, Jcc, CALL, RET, LOOPcc, JCXZ.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

// A relative target. In 64-bit code the operand size is always 8 and nothing is left to do.
u64 relative_target(Interpreter& cpu, const Instruction& i) {
  const u64 target = cpu.block_rip() + i.immediate;
  if (i.operand_size == 8) [[likely]] return target;
  return cpu.near_target(target, i.operand_size);
}

void jmp_relative(Interpreter& cpu, const Instruction& i) { cpu.jump(relative_target(cpu, i)); }

template <Condition C>
void jcc(Interpreter& cpu, const Instruction& i) {
  if (holds<C>(cpu.arithmetic())) cpu.jump(relative_target(cpu, i));
}

template <class T>
void jmp_reg(Interpreter& cpu, const Instruction& i) {
  cpu.jump(cpu.near_target(cpu.reg<T>(i.r[0]), sizeof(T)));
}
template <class T>
void jmp_mem(Interpreter& cpu, const Instruction& i) {
  cpu.jump(cpu.near_target(cpu.load<T>(i), sizeof(T)));
}

void call(Interpreter& cpu, u64 target, unsigned size) {
  cpu.push(cpu.next_rip(), size);
  cpu.jump(target);
}
void call_relative(Interpreter& cpu, const Instruction& i) { call(cpu, relative_target(cpu, i), i.operand_size); }
template <class T>
void call_reg(Interpreter& cpu, const Instruction& i) {
  call(cpu, cpu.near_target(cpu.reg<T>(i.r[0]), sizeof(T)), sizeof(T));
}
template <class T>
void call_mem(Interpreter& cpu, const Instruction& i) {
  call(cpu, cpu.near_target(cpu.load<T>(i), sizeof(T)), sizeof(T));
}

void ret(Interpreter& cpu, const Instruction& i) {
  const u64 target = cpu.near_target(cpu.peek_stack(0, i.operand_size), i.operand_size);
  cpu.move_stack(i64(i.operand_size) + i64(u16(i.immediate)));
  cpu.jump(target);
}

u64 count(Interpreter& cpu, const Instruction& i) {
  const u64 rcx = cpu.gpr(x86::kRcx);
  return i.address_size == 8 ? rcx : i.address_size == 4 ? u32(rcx) : u16(rcx);
}

template <bool kTestsZero, bool kWanted>
void loop(Interpreter& cpu, const Instruction& i) {
  const u64 left = count(cpu, i) - 1;
  const bool zero_flag = cpu.arithmetic() & kHostZf;
  const u64 mask = i.address_size == 8 ? ~u64{0} : i.address_size == 4 ? 0xffff'ffff : 0xffff;
  const bool taken = (left & mask) != 0 && (!kTestsZero || zero_flag == kWanted);
  const u64 target = taken ? relative_target(cpu, i) : 0;
  if (i.address_size == 8) cpu.set_reg<u64>(x86::kRcx * 8, left);
  if (i.address_size == 4) cpu.set_reg<u32>(x86::kRcx * 8, u32(left));
  if (i.address_size == 2) cpu.set_reg<u16>(x86::kRcx * 8, u16(left));
  if (taken) cpu.jump(target);
}

void jcxz(Interpreter& cpu, const Instruction& i) {
  if (count(cpu, i) == 0) cpu.jump(relative_target(cpu, i));
}

constexpr u8 kDirectBranch = kEndsBlock | kBranch | kDirect;
constexpr u8 kIndirectBranch = kEndsBlock | kBranch;

template <class T>
void add_indirect(std::vector<Binding>& r) {
  r.push_back({ZYDIS_MNEMONIC_JMP, jmp_reg<T>, {reg_of<T>}, Unit::kInteger, kIndirectBranch});
  r.push_back({ZYDIS_MNEMONIC_JMP, jmp_mem<T>, {mem_of<T>}, Unit::kInteger, kIndirectBranch});
  r.push_back({ZYDIS_MNEMONIC_CALL, call_reg<T>, {reg_of<T>}, Unit::kInteger, kIndirectBranch});
  r.push_back({ZYDIS_MNEMONIC_CALL, call_mem<T>, {mem_of<T>}, Unit::kInteger, kIndirectBranch});
}

}  // namespace

std::span<const Binding> branch_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    const auto direct = [&r](decode::Mnemonic m, Handler h) {
      r.push_back({m, h, {pattern::kRel}, Unit::kInteger, kDirectBranch});
    };
    direct(ZYDIS_MNEMONIC_JMP, jmp_relative);
    direct(ZYDIS_MNEMONIC_CALL, call_relative);
    direct(ZYDIS_MNEMONIC_JO, jcc<kO>);
    direct(ZYDIS_MNEMONIC_JNO, jcc<kNo>);
    direct(ZYDIS_MNEMONIC_JB, jcc<kB>);
    direct(ZYDIS_MNEMONIC_JNB, jcc<kNb>);
    direct(ZYDIS_MNEMONIC_JZ, jcc<kZ>);
    direct(ZYDIS_MNEMONIC_JNZ, jcc<kNz>);
    direct(ZYDIS_MNEMONIC_JBE, jcc<kBe>);
    direct(ZYDIS_MNEMONIC_JNBE, jcc<kNbe>);
    direct(ZYDIS_MNEMONIC_JS, jcc<kS>);
    direct(ZYDIS_MNEMONIC_JNS, jcc<kNs>);
    direct(ZYDIS_MNEMONIC_JP, jcc<kP>);
    direct(ZYDIS_MNEMONIC_JNP, jcc<kNp>);
    direct(ZYDIS_MNEMONIC_JL, jcc<kL>);
    direct(ZYDIS_MNEMONIC_JNL, jcc<kNl>);
    direct(ZYDIS_MNEMONIC_JLE, jcc<kLe>);
    direct(ZYDIS_MNEMONIC_JNLE, jcc<kNle>);
    direct(ZYDIS_MNEMONIC_LOOP, loop<false, false>);
    direct(ZYDIS_MNEMONIC_LOOPE, loop<true, true>);
    direct(ZYDIS_MNEMONIC_LOOPNE, loop<true, false>);
    direct(ZYDIS_MNEMONIC_JCXZ, jcxz);
    direct(ZYDIS_MNEMONIC_JECXZ, jcxz);
    direct(ZYDIS_MNEMONIC_JRCXZ, jcxz);
    add_indirect<u16>(r);
    add_indirect<u32>(r);
    add_indirect<u64>(r);
    r.push_back({ZYDIS_MNEMONIC_RET, ret, {}, Unit::kInteger, kIndirectBranch});
    r.push_back({ZYDIS_MNEMONIC_RET, ret, {pattern::kImm}, Unit::kInteger, kIndirectBranch});
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
