// BT BTS BTR BTC BSF BSR POPCNT CRC32. LZCNT and TZCNT are not in the model and decode as BSR and BSF.
// Undefined, and what it is here: OF SF AF PF after BT.. stay as they were; CF OF SF AF PF after BSF and BSR become 0;
// their destination is left alone, whole, when the source is zero.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

enum class BitOp : u8 { kTest, kSet, kReset, kComplement };

template <BitOp Op, class T>
T operate(Interpreter& cpu, T value, unsigned bit) {
  const T mask = T(T(1) << bit);
  cpu.set_arithmetic_raw(u16((cpu.arithmetic() & ~kHostCf) | (value & mask ? kHostCf : 0)));
  switch (Op) {
    case BitOp::kTest: return value;
    case BitOp::kSet: return T(value | mask);
    case BitOp::kReset: return T(value & ~mask);
    case BitOp::kComplement: return T(value ^ mask);
  }
}

template <class T>
constexpr unsigned kMask = sizeof(T) * 8 - 1;

template <BitOp Op, class T>
void on_reg(Interpreter& cpu, const Instruction& i, unsigned bit) {
  const T result = operate<Op, T>(cpu, cpu.reg<T>(i.r[0]), bit);
  if constexpr (Op != BitOp::kTest) cpu.set_reg<T>(i.r[0], result);
}
template <BitOp Op, class T>
void on_linear(Interpreter& cpu, const Instruction& i, u64 linear, unsigned bit) {
  if constexpr (Op == BitOp::kTest) {
    operate<Op, T>(cpu, cpu.read_linear<T>(linear, i.segment), bit);
  } else {
    cpu.modify_linear<T>(linear, i.segment, [&](T a) { return operate<Op, T>(cpu, a, bit); });
  }
}
template <BitOp Op>
constexpr mmu::Access kAccess = Op == BitOp::kTest ? mmu::Access::kRead : mmu::Access::kWrite;

template <BitOp Op, class T>
void reg_reg(Interpreter& cpu, const Instruction& i) {
  on_reg<Op, T>(cpu, i, cpu.reg<T>(i.r[1]) & kMask<T>);
}
template <BitOp Op, class T>
void reg_imm(Interpreter& cpu, const Instruction& i) {
  on_reg<Op, T>(cpu, i, i.immediate & kMask<T>);
}
template <BitOp Op, class T>
void mem_imm(Interpreter& cpu, const Instruction& i) {
  on_linear<Op, T>(cpu, i, cpu.address(i, sizeof(T), kAccess<Op>), i.immediate & kMask<T>);
}
// A register's bit number reaches the whole bit string around the address.
template <BitOp Op, class T>
void mem_reg(Interpreter& cpu, const Instruction& i) {
  const i64 number = std::make_signed_t<T>(cpu.reg<T>(i.r[1]));
  Instruction moved = i;
  moved.displacement += (number >> (sizeof(T) == 8 ? 6 : sizeof(T) == 4 ? 5 : 4)) * i64(sizeof(T));
  on_linear<Op, T>(cpu, i, cpu.address(moved, sizeof(T), kAccess<Op>), unsigned(number) & kMask<T>);
}

template <class T, bool kForward>
void scan(Interpreter& cpu, const Instruction& i, T value) {
  if (value == 0) {
    cpu.set_arithmetic_raw(kHostFixed | kHostZf);
    return;
  }
  const u64 wide = value;
  cpu.set_reg<T>(i.r[0], T(kForward ? __builtin_ctzll(wide) : 63 - __builtin_clzll(wide)));
  cpu.set_arithmetic_raw(kHostFixed);
}
template <class T, bool kForward>
void scan_reg(Interpreter& cpu, const Instruction& i) {
  scan<T, kForward>(cpu, i, cpu.reg<T>(i.r[1]));
}
template <class T, bool kForward>
void scan_mem(Interpreter& cpu, const Instruction& i) {
  scan<T, kForward>(cpu, i, cpu.load<T>(i));
}

template <class T>
void popcnt(Interpreter& cpu, const Instruction& i, T value) {
  cpu.set_reg<T>(i.r[0], T(__builtin_popcountll(value)));
  cpu.set_arithmetic_raw(value == 0 ? kHostFixed | kHostZf : kHostFixed);
}
template <class T>
void popcnt_reg(Interpreter& cpu, const Instruction& i) {
  popcnt<T>(cpu, i, cpu.reg<T>(i.r[1]));
}
template <class T>
void popcnt_mem(Interpreter& cpu, const Instruction& i) {
  popcnt<T>(cpu, i, cpu.load<T>(i));
}

template <class T>
void crc32(Interpreter& cpu, const Instruction& i, T data) {
  u32 sum = cpu.reg<u32>(i.r[0]);
  if constexpr (sizeof(T) == 1) sum = __builtin_ia32_crc32qi(sum, data);
  if constexpr (sizeof(T) == 2) sum = __builtin_ia32_crc32hi(sum, data);
  if constexpr (sizeof(T) == 4) sum = __builtin_ia32_crc32si(sum, data);
  if constexpr (sizeof(T) == 8) sum = u32(__builtin_ia32_crc32di(sum, data));
  cpu.set_reg<u32>(i.r[0], sum);
}
template <class T>
void crc32_reg(Interpreter& cpu, const Instruction& i) {
  crc32<T>(cpu, i, cpu.reg<T>(i.r[1]));
}
template <class T>
void crc32_mem(Interpreter& cpu, const Instruction& i) {
  crc32<T>(cpu, i, cpu.load<T>(i));
}

template <BitOp Op, class T>
void add_bit(std::vector<Binding>& r, decode::Mnemonic m) {
  constexpr u32 kUndefined = x86::kOf | x86::kSf | x86::kAf | x86::kPf;
  const u8 traits = Op == BitOp::kTest ? kPlain : kLockable;
  r.push_back({m, reg_reg<Op, T>, {reg_of<T>, reg_of<T>}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({m, reg_imm<Op, T>, {reg_of<T>, pattern::kImm}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({m, mem_reg<Op, T>, {mem_of<T>, reg_of<T>}, Unit::kInteger, traits, kUndefined});
  r.push_back({m, mem_imm<Op, T>, {mem_of<T>, pattern::kImm}, Unit::kInteger, traits, kUndefined});
}
template <class T>
void add_rows(std::vector<Binding>& r) {
  add_bit<BitOp::kTest, T>(r, ZYDIS_MNEMONIC_BT);
  add_bit<BitOp::kSet, T>(r, ZYDIS_MNEMONIC_BTS);
  add_bit<BitOp::kReset, T>(r, ZYDIS_MNEMONIC_BTR);
  add_bit<BitOp::kComplement, T>(r, ZYDIS_MNEMONIC_BTC);
  constexpr u32 kUndefined = x86::kCf | x86::kOf | x86::kSf | x86::kAf | x86::kPf;
  r.push_back({ZYDIS_MNEMONIC_BSF, scan_reg<T, true>, {reg_of<T>, reg_of<T>}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({ZYDIS_MNEMONIC_BSF, scan_mem<T, true>, {reg_of<T>, mem_of<T>}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({ZYDIS_MNEMONIC_BSR, scan_reg<T, false>, {reg_of<T>, reg_of<T>}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({ZYDIS_MNEMONIC_BSR, scan_mem<T, false>, {reg_of<T>, mem_of<T>}, Unit::kInteger, kPlain, kUndefined});
  r.push_back({ZYDIS_MNEMONIC_POPCNT, popcnt_reg<T>, {reg_of<T>, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_POPCNT, popcnt_mem<T>, {reg_of<T>, mem_of<T>}});
}
template <class T>
void add_crc32(std::vector<Binding>& r) {
  constexpr Pattern kDestination{pattern::kGprBit, 0};
  r.push_back({ZYDIS_MNEMONIC_CRC32, crc32_reg<T>, {kDestination, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_CRC32, crc32_mem<T>, {kDestination, mem_of<T>}});
}

}  // namespace

std::span<const Binding> bit_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_rows<u16>(r);
    add_rows<u32>(r);
    add_rows<u64>(r);
    add_crc32<u8>(r);
    add_crc32<u16>(r);
    add_crc32<u32>(r);
    add_crc32<u64>(r);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
