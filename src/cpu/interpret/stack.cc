// PUSH POP PUSHA POPA ENTER LEAVE. (Segment registers: segment.cc; flags: flag.cc.)
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

template <class T>
void push_reg(Interpreter& cpu, const Instruction& i) {
  cpu.push(cpu.reg<T>(i.r[0]), sizeof(T));
}
template <class T>
void push_mem(Interpreter& cpu, const Instruction& i) {
  cpu.push(cpu.load<T>(i), sizeof(T));
}
void push_imm(Interpreter& cpu, const Instruction& i) { cpu.push(i.immediate, i.operand_size); }

template <class T>
void pop_reg(Interpreter& cpu, const Instruction& i) {
  const T value = T(cpu.pop(sizeof(T)));
  cpu.set_reg<T>(i.r[0], value);
}
// An address based on rsp uses the value after the pop.
template <class T>
void pop_mem(Interpreter& cpu, const Instruction& i) {
  const T value = T(cpu.peek_stack(0, sizeof(T)));
  Instruction moved = i;
  if (i.base == x86::kRsp * 8) moved.displacement += sizeof(T);
  cpu.store<T>(moved, value);
  cpu.move_stack(sizeof(T));
}

template <class T>
void pusha(Interpreter& cpu, const Instruction&) {
  const u64 rsp = cpu.gpr(x86::kRsp);
  const auto saved = cpu.s().gpr;
  const auto fault = cpu.attempt([&] {
    for (unsigned n = 0; n < 8; ++n) cpu.push(n == x86::kRsp ? rsp : saved[n], sizeof(T));
  });
  if (!fault) return;
  cpu.gpr(x86::kRsp) = rsp;
  cpu.raise(*fault);
}
template <class T>
void popa(Interpreter& cpu, const Instruction&) {
  T values[8];
  for (unsigned n = 0; n < 8; ++n) values[n] = T(cpu.peek_stack(n * sizeof(T), sizeof(T)));
  for (unsigned n = 0; n < 8; ++n) {
    if (n != 3) cpu.set_reg<T>(u8((7 - n) * 8), values[n]);
  }
  cpu.move_stack(8 * sizeof(T));
}

void enter(Interpreter& cpu, const Instruction& i) {
  const unsigned size = i.operand_size;
  const unsigned level = i.immediate2 & 31;
  const u64 rsp = cpu.gpr(x86::kRsp), rbp = cpu.gpr(x86::kRbp);
  const u64 mask = cpu.stack_mask();
  const auto fault = cpu.attempt([&] {
    cpu.push(rbp, size);
    const u64 frame = cpu.gpr(x86::kRsp);
    if (level > 0) {
      for (unsigned n = 1; n < level; ++n) {
        const u64 at = (rbp - n * size) & mask;
        const unsigned stack_size = mask == ~u64{0} ? 8 : mask == 0xffff ? 2 : 4;
        u64 value = 0;
        if (size == 8) value = cpu.read_at<u64>(x86::kSs, at, stack_size);
        if (size == 4) value = cpu.read_at<u32>(x86::kSs, at, stack_size);
        if (size == 2) value = cpu.read_at<u16>(x86::kSs, at, stack_size);
        cpu.push(value, size);
      }
      cpu.push(frame, size);
    }
    // The last byte that the new frame reaches must be writable.
    const u64 end = (cpu.gpr(x86::kRsp) - u16(i.immediate)) & mask;
    cpu.check_write(cpu.linear_of(x86::kSs, end, 1, mmu::Access::kWrite), 1, x86::kSs);
    if (size == 8) cpu.set_reg<u64>(x86::kRbp * 8, frame);
    if (size == 4) cpu.set_reg<u32>(x86::kRbp * 8, u32(frame));
    if (size == 2) cpu.set_reg<u16>(x86::kRbp * 8, u16(frame));
    cpu.move_stack(-i64(u16(i.immediate)));
  });
  if (!fault) return;
  cpu.gpr(x86::kRsp) = rsp;
  cpu.raise(*fault);
}

template <class T>
void leave(Interpreter& cpu, const Instruction&) {
  const u64 mask = cpu.stack_mask();
  const u64 rsp = cpu.gpr(x86::kRsp);
  const u64 at = cpu.gpr(x86::kRbp) & mask;
  const unsigned stack_size = mask == ~u64{0} ? 8 : mask == 0xffff ? 2 : 4;
  const T value = cpu.read_at<T>(x86::kSs, at, stack_size);
  cpu.gpr(x86::kRsp) = mask == 0xffff ? (rsp & ~mask) | at : at;
  cpu.move_stack(sizeof(T));
  cpu.set_reg<T>(x86::kRbp * 8, value);
}

template <class T>
void add_rows(std::vector<Binding>& r) {
  r.push_back({ZYDIS_MNEMONIC_PUSH, push_reg<T>, {reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_PUSH, push_mem<T>, {mem_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_POP, pop_reg<T>, {reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_POP, pop_mem<T>, {mem_of<T>}});
}

void leave_any(Interpreter& cpu, const Instruction& i) {
  if (i.operand_size == 8) leave<u64>(cpu, i);
  if (i.operand_size == 4) leave<u32>(cpu, i);
  if (i.operand_size == 2) leave<u16>(cpu, i);
}

}  // namespace

std::span<const Binding> stack_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_rows<u64>(r);
    add_rows<u32>(r);
    add_rows<u16>(r);
    r.push_back({ZYDIS_MNEMONIC_PUSH, push_imm, {pattern::kImm}});
    r.push_back({ZYDIS_MNEMONIC_PUSHA, pusha<u16>});
    r.push_back({ZYDIS_MNEMONIC_PUSHAD, pusha<u32>});
    r.push_back({ZYDIS_MNEMONIC_POPA, popa<u16>});
    r.push_back({ZYDIS_MNEMONIC_POPAD, popa<u32>});
    r.push_back({ZYDIS_MNEMONIC_ENTER, enter, {pattern::kImm, pattern::kImm}});
    r.push_back({ZYDIS_MNEMONIC_LEAVE, leave_any});
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
