// MOV (general), MOVZX MOVSX MOVSXD MOVBE BSWAP LEA CMOVcc SETcc CBW.. CWD.. XLAT MOVNTI. No flags.
// BSWAP of a 16-bit register is undefined in the manual; here it gives 0, as processors do.
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

namespace {

template <class T>
void mov_reg_reg(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], cpu.reg<T>(i.r[1]));
}
template <class T>
void mov_reg_mem(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], cpu.load<T>(i));
}
template <class T>
void mov_mem_reg(Interpreter& cpu, const Instruction& i) {
  cpu.store<T>(i, cpu.reg<T>(i.r[1]));
}
template <class T>
void mov_reg_imm(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], T(i.immediate));
}
template <class T>
void mov_mem_imm(Interpreter& cpu, const Instruction& i) {
  cpu.store<T>(i, T(i.immediate));
}

// To: signed or unsigned as the extension; From likewise.
template <class To, class From>
void extend_reg(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<To>(i.r[0], To(cpu.reg<From>(i.r[1])));
}
template <class To, class From>
void extend_mem(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<To>(i.r[0], To(cpu.load<From>(i)));
}

template <class T>
T swapped(T v) {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(v);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
}
template <class T>
void movbe_load(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], swapped<T>(cpu.load<T>(i)));
}
template <class T>
void movbe_store(Interpreter& cpu, const Instruction& i) {
  cpu.store<T>(i, swapped<T>(cpu.reg<T>(i.r[1])));
}
template <class T>
void bswap(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<T>(i.r[0], sizeof(T) == 2 ? T(0) : swapped<T>(cpu.reg<T>(i.r[0])));
}

template <class T>
void lea(Interpreter& cpu, const Instruction& i) {
  u64 address = cpu.effective_address(i);
  if (i.address_size == 4) address = u32(address);
  if (i.address_size == 2) address = u16(address);
  cpu.set_reg<T>(i.r[0], T(address));
}

// A memory source is read, and may fault, whether or not the condition holds; a 32-bit destination is zero-extended
// either way.
template <Condition C, class T>
void cmov_reg(Interpreter& cpu, const Instruction& i) {
  const T from = cpu.reg<T>(i.r[1]), old = cpu.reg<T>(i.r[0]);
  cpu.set_reg<T>(i.r[0], holds<C>(cpu.arithmetic()) ? from : old);
}
template <Condition C, class T>
void cmov_mem(Interpreter& cpu, const Instruction& i) {
  const T from = cpu.load<T>(i), old = cpu.reg<T>(i.r[0]);
  cpu.set_reg<T>(i.r[0], holds<C>(cpu.arithmetic()) ? from : old);
}
template <Condition C>
void set_reg(Interpreter& cpu, const Instruction& i) {
  cpu.set_reg<u8>(i.r[0], holds<C>(cpu.arithmetic()));
}
template <Condition C>
void set_mem(Interpreter& cpu, const Instruction& i) {
  cpu.store<u8>(i, holds<C>(cpu.arithmetic()));
}

// rax <- sign extension of its lower half; rdx <- sign of rax.
template <class To, class From>
void widen_a(Interpreter& cpu, const Instruction&) {
  cpu.set_reg<To>(0, To(cpu.reg<From>(0)));
}
template <class T>
void sign_to_d(Interpreter& cpu, const Instruction&) {
  cpu.set_reg<T>(x86::kRdx * 8, T(cpu.reg<T>(0) < 0 ? -1 : 0));
}

void xlat(Interpreter& cpu, const Instruction& i) {
  const u64 at = cpu.gpr(x86::kRbx) + cpu.reg<u8>(0);
  cpu.set_reg<u8>(0, cpu.read_at<u8>(i.segment, at, i.address_size));
}

template <class T>
void add_mov(std::vector<Binding>& r) {
  constexpr auto m = ZYDIS_MNEMONIC_MOV;
  r.push_back({m, mov_reg_reg<T>, {reg_of<T>, reg_of<T>}});
  r.push_back({m, mov_reg_mem<T>, {reg_of<T>, mem_of<T>}});
  r.push_back({m, mov_mem_reg<T>, {mem_of<T>, reg_of<T>}});
  r.push_back({m, mov_reg_imm<T>, {reg_of<T>, pattern::kImm}});
  r.push_back({m, mov_mem_imm<T>, {mem_of<T>, pattern::kImm}});
}
template <class To, class From>
void add_extension(std::vector<Binding>& r, decode::Mnemonic m) {
  r.push_back({m, extend_reg<To, From>, {reg_of<To>, reg_of<From>}});
  r.push_back({m, extend_mem<To, From>, {reg_of<To>, mem_of<From>}});
}
template <class T>
void add_swaps(std::vector<Binding>& r) {
  r.push_back({ZYDIS_MNEMONIC_MOVBE, movbe_load<T>, {reg_of<T>, mem_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_MOVBE, movbe_store<T>, {mem_of<T>, reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_BSWAP, bswap<T>, {reg_of<T>}});
  r.push_back({ZYDIS_MNEMONIC_LEA, lea<T>, {reg_of<T>, pattern::kMem}});
}
template <Condition C>
void add_condition(std::vector<Binding>& r, decode::Mnemonic cmov, decode::Mnemonic set) {
  r.push_back({cmov, cmov_reg<C, u16>, {reg_of<u16>, reg_of<u16>}});
  r.push_back({cmov, cmov_mem<C, u16>, {reg_of<u16>, mem_of<u16>}});
  r.push_back({cmov, cmov_reg<C, u32>, {reg_of<u32>, reg_of<u32>}});
  r.push_back({cmov, cmov_mem<C, u32>, {reg_of<u32>, mem_of<u32>}});
  r.push_back({cmov, cmov_reg<C, u64>, {reg_of<u64>, reg_of<u64>}});
  r.push_back({cmov, cmov_mem<C, u64>, {reg_of<u64>, mem_of<u64>}});
  r.push_back({set, set_reg<C>, {reg_of<u8>}});
  r.push_back({set, set_mem<C>, {mem_of<u8>}});
}

}  // namespace

std::span<const Binding> move_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_mov<u8>(r);
    add_mov<u16>(r);
    add_mov<u32>(r);
    add_mov<u64>(r);
    add_extension<u16, u8>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<u32, u8>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<u64, u8>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<u16, u16>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<u32, u16>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<u64, u16>(r, ZYDIS_MNEMONIC_MOVZX);
    add_extension<i16, i8>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i32, i8>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i64, i8>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i16, i16>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i32, i16>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i64, i16>(r, ZYDIS_MNEMONIC_MOVSX);
    add_extension<i16, i16>(r, ZYDIS_MNEMONIC_MOVSXD);
    add_extension<i16, i32>(r, ZYDIS_MNEMONIC_MOVSXD);
    add_extension<i32, i32>(r, ZYDIS_MNEMONIC_MOVSXD);
    add_extension<i64, i32>(r, ZYDIS_MNEMONIC_MOVSXD);
    add_swaps<u16>(r);
    add_swaps<u32>(r);
    add_swaps<u64>(r);
    r.push_back({ZYDIS_MNEMONIC_MOVNTI, mov_mem_reg<u32>, {mem_of<u32>, reg_of<u32>}});
    r.push_back({ZYDIS_MNEMONIC_MOVNTI, mov_mem_reg<u64>, {mem_of<u64>, reg_of<u64>}});
    add_condition<kO>(r, ZYDIS_MNEMONIC_CMOVO, ZYDIS_MNEMONIC_SETO);
    add_condition<kNo>(r, ZYDIS_MNEMONIC_CMOVNO, ZYDIS_MNEMONIC_SETNO);
    add_condition<kB>(r, ZYDIS_MNEMONIC_CMOVB, ZYDIS_MNEMONIC_SETB);
    add_condition<kNb>(r, ZYDIS_MNEMONIC_CMOVNB, ZYDIS_MNEMONIC_SETNB);
    add_condition<kZ>(r, ZYDIS_MNEMONIC_CMOVZ, ZYDIS_MNEMONIC_SETZ);
    add_condition<kNz>(r, ZYDIS_MNEMONIC_CMOVNZ, ZYDIS_MNEMONIC_SETNZ);
    add_condition<kBe>(r, ZYDIS_MNEMONIC_CMOVBE, ZYDIS_MNEMONIC_SETBE);
    add_condition<kNbe>(r, ZYDIS_MNEMONIC_CMOVNBE, ZYDIS_MNEMONIC_SETNBE);
    add_condition<kS>(r, ZYDIS_MNEMONIC_CMOVS, ZYDIS_MNEMONIC_SETS);
    add_condition<kNs>(r, ZYDIS_MNEMONIC_CMOVNS, ZYDIS_MNEMONIC_SETNS);
    add_condition<kP>(r, ZYDIS_MNEMONIC_CMOVP, ZYDIS_MNEMONIC_SETP);
    add_condition<kNp>(r, ZYDIS_MNEMONIC_CMOVNP, ZYDIS_MNEMONIC_SETNP);
    add_condition<kL>(r, ZYDIS_MNEMONIC_CMOVL, ZYDIS_MNEMONIC_SETL);
    add_condition<kNl>(r, ZYDIS_MNEMONIC_CMOVNL, ZYDIS_MNEMONIC_SETNL);
    add_condition<kLe>(r, ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_SETLE);
    add_condition<kNle>(r, ZYDIS_MNEMONIC_CMOVNLE, ZYDIS_MNEMONIC_SETNLE);
    r.push_back({ZYDIS_MNEMONIC_CBW, widen_a<i16, i8>});
    r.push_back({ZYDIS_MNEMONIC_CWDE, widen_a<i32, i16>});
    r.push_back({ZYDIS_MNEMONIC_CDQE, widen_a<i64, i32>});
    r.push_back({ZYDIS_MNEMONIC_CWD, sign_to_d<i16>});
    r.push_back({ZYDIS_MNEMONIC_CDQ, sign_to_d<i32>});
    r.push_back({ZYDIS_MNEMONIC_CQO, sign_to_d<i64>});
    r.push_back({ZYDIS_MNEMONIC_XLAT, xlat});
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
