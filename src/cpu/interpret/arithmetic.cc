// ADD OR ADC SBB AND SUB XOR CMP TEST: the host's own instruction on copies of the operands, and its flags.
// Undefined: AF after AND, OR, XOR, TEST becomes 0.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

// One operation: static T apply(T a, T b, u16& flags). kWrites: whether the result is stored.
#define POLLUX_ARITHMETIC(Name, text, writes)                                                      \
  struct Name {                                                                                    \
    static constexpr bool kWrites = writes;                                                        \
    template <class T>                                                                             \
    static T apply(T a, T b, u16& flags) {                                                         \
      asm(text " %[b], %[a]\n\t" POLLUX_TAKE_FLAGS : [a] "+r"(a), [f] "=&a"(flags) : [b] "r"(b) : "cc"); \
      return a;                                                                                    \
    }                                                                                              \
  };
#define POLLUX_ARITHMETIC_CARRY(Name, text)                                                        \
  struct Name {                                                                                    \
    static constexpr bool kWrites = true;                                                          \
    template <class T>                                                                             \
    static T apply(T a, T b, u16& flags) {                                                         \
      asm(POLLUX_GIVE_CARRY text " %[b], %[a]\n\t" POLLUX_TAKE_FLAGS                               \
          : [a] "+r"(a), [f] "+&a"(flags)                                                          \
          : [b] "r"(b)                                                                             \
          : "cc");                                                                                 \
      return a;                                                                                    \
    }                                                                                              \
  };
#define POLLUX_LOGIC(Name, text, writes)                                                           \
  struct Name {                                                                                    \
    static constexpr bool kWrites = writes;                                                        \
    template <class T>                                                                             \
    static T apply(T a, T b, u16& flags) {                                                         \
      asm(text " %[b], %[a]\n\t" POLLUX_TAKE_FLAGS : [a] "+r"(a), [f] "=&a"(flags) : [b] "r"(b) : "cc"); \
      flags &= u16(~kHostAf);                                                                      \
      return a;                                                                                    \
    }                                                                                              \
  };

POLLUX_ARITHMETIC(Add, "add", true)
POLLUX_ARITHMETIC(Sub, "sub", true)
POLLUX_ARITHMETIC(Cmp, "cmp", false)
POLLUX_ARITHMETIC_CARRY(Adc, "adc")
POLLUX_ARITHMETIC_CARRY(Sbb, "sbb")
POLLUX_LOGIC(And, "and", true)
POLLUX_LOGIC(Or, "or", true)
POLLUX_LOGIC(Xor, "xor", true)
POLLUX_LOGIC(Test, "test", false)

template <class Op, class T>
T operate(Interpreter& cpu, T a, T b) {
  u16 flags = cpu.arithmetic();
  const T result = Op::template apply<T>(a, b, flags);
  cpu.set_arithmetic_raw(flags);
  return result;
}

template <class Op, class T>
void reg_reg(Interpreter& cpu, const Instruction& i) {
  const T result = operate<Op, T>(cpu, cpu.reg<T>(i.r[0]), cpu.reg<T>(i.r[1]));
  if constexpr (Op::kWrites) cpu.set_reg<T>(i.r[0], result);
}

template <class Op, class T>
void reg_mem(Interpreter& cpu, const Instruction& i) {
  const T b = cpu.load<T>(i);
  const T result = operate<Op, T>(cpu, cpu.reg<T>(i.r[0]), b);
  if constexpr (Op::kWrites) cpu.set_reg<T>(i.r[0], result);
}

template <class Op, class T>
void mem_value(Interpreter& cpu, const Instruction& i, T b) {
  if constexpr (Op::kWrites) {
    cpu.modify<T>(i, [&](T a) { return operate<Op, T>(cpu, a, b); });
  } else {
    operate<Op, T>(cpu, cpu.load<T>(i), b);
  }
}

template <class Op, class T>
void mem_reg(Interpreter& cpu, const Instruction& i) {
  mem_value<Op, T>(cpu, i, cpu.reg<T>(i.r[1]));
}

template <class Op, class T>
void reg_imm(Interpreter& cpu, const Instruction& i) {
  const T result = operate<Op, T>(cpu, cpu.reg<T>(i.r[0]), T(i.immediate));
  if constexpr (Op::kWrites) cpu.set_reg<T>(i.r[0], result);
}

template <class Op, class T>
void mem_imm(Interpreter& cpu, const Instruction& i) {
  mem_value<Op, T>(cpu, i, T(i.immediate));
}

template <class Op, class T>
void add_rows(std::vector<Binding>& rows, decode::Mnemonic m, u32 undefined) {
  constexpr Pattern kReg = reg_of<T>, kMemory = mem_of<T>;
  const u8 memory_traits = Op::kWrites ? kLockable : kPlain;
  rows.push_back({m, reg_reg<Op, T>, {kReg, kReg}, Unit::kInteger, kPlain, undefined});
  rows.push_back({m, reg_mem<Op, T>, {kReg, kMemory}, Unit::kInteger, kPlain, undefined});
  rows.push_back({m, mem_reg<Op, T>, {kMemory, kReg}, Unit::kInteger, memory_traits, undefined});
  rows.push_back({m, reg_imm<Op, T>, {kReg, pattern::kImm}, Unit::kInteger, kPlain, undefined});
  rows.push_back({m, mem_imm<Op, T>, {kMemory, pattern::kImm}, Unit::kInteger, memory_traits, undefined});
}

template <class Op>
void add_all_sizes(std::vector<Binding>& rows, decode::Mnemonic m, u32 undefined = 0) {
  add_rows<Op, u8>(rows, m, undefined);
  add_rows<Op, u16>(rows, m, undefined);
  add_rows<Op, u32>(rows, m, undefined);
  add_rows<Op, u64>(rows, m, undefined);
}

}  // namespace

std::span<const Binding> arithmetic_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_all_sizes<Add>(r, ZYDIS_MNEMONIC_ADD);
    add_all_sizes<Or>(r, ZYDIS_MNEMONIC_OR, x86::kAf);
    add_all_sizes<Adc>(r, ZYDIS_MNEMONIC_ADC);
    add_all_sizes<Sbb>(r, ZYDIS_MNEMONIC_SBB);
    add_all_sizes<And>(r, ZYDIS_MNEMONIC_AND, x86::kAf);
    add_all_sizes<Sub>(r, ZYDIS_MNEMONIC_SUB);
    add_all_sizes<Xor>(r, ZYDIS_MNEMONIC_XOR, x86::kAf);
    add_all_sizes<Cmp>(r, ZYDIS_MNEMONIC_CMP);
    add_all_sizes<Test>(r, ZYDIS_MNEMONIC_TEST, x86::kAf);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
