// INC DEC NEG NOT.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

#define POLLUX_UNARY(Name, text)                                                                        \
  struct Name {                                                                                         \
    template <class T>                                                                                  \
    static T apply(T a, u16& flags) {                                                                   \
      asm(POLLUX_GIVE_CARRY text " %[a]\n\t" POLLUX_TAKE_FLAGS : [a] "+r"(a), [f] "+&a"(flags) : : "cc"); \
      return a;                                                                                         \
    }                                                                                                   \
  };

POLLUX_UNARY(Inc, "inc")  // CF is kept
POLLUX_UNARY(Dec, "dec")
POLLUX_UNARY(Neg, "neg")

struct Not {  // no flags
  template <class T>
  static T apply(T a, u16&) {
    return T(~a);
  }
};

template <class Op, class T>
T operate(Interpreter& cpu, T a) {
  u16 flags = cpu.arithmetic();
  const T result = Op::template apply<T>(a, flags);
  cpu.set_arithmetic_raw(flags);
  return result;
}

template <class Op, class T>
void on_reg(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], operate<Op, T>(cpu, cpu.reg<T>(i.r[0])));
}

template <class Op, class T>
void on_mem(Interpreter& cpu, const Instruction& i) {
  cpu.modify<T>(i, [&](T a) { return operate<Op, T>(cpu, a); });
}

template <class Op, class T>
void add_rows(std::vector<Binding>& rows, decode::Mnemonic m) {
  rows.push_back({m, on_reg<Op, T>, {reg_of<T>}});
  rows.push_back({m, on_mem<Op, T>, {mem_of<T>}, Unit::kInteger, kLockable});
}

template <class Op>
void add_all_sizes(std::vector<Binding>& rows, decode::Mnemonic m) {
  add_rows<Op, u8>(rows, m);
  add_rows<Op, u16>(rows, m);
  add_rows<Op, u32>(rows, m);
  add_rows<Op, u64>(rows, m);
}

}  // namespace

std::span<const Binding> unary_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_all_sizes<Inc>(r, ZYDIS_MNEMONIC_INC);
    add_all_sizes<Dec>(r, ZYDIS_MNEMONIC_DEC);
    add_all_sizes<Neg>(r, ZYDIS_MNEMONIC_NEG);
    add_all_sizes<Not>(r, ZYDIS_MNEMONIC_NOT);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
