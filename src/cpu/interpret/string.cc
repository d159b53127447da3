// MOVS CMPS STOS LODS SCAS INS OUTS, with REP, REPE, REPNE.
//
// Each iteration retires by itself: a fault, an interrupt or the end of the run between two iterations leaves the
// registers so that the instruction goes on where it stopped. MOVS and STOS go through whole stretches of a page at
// once where nothing can tell the difference: forward, flat, without alignment checks, and overwriting neither code nor
// page tables that are in use.
#include <algorithm>

#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/ports.h"

namespace pollux::cpu::interpret {

namespace {

using x86::Gpr;

u64 index(Interpreter& cpu, const Instruction& i, Gpr name) {
  return Interpreter::truncated(cpu.gpr(name), i.address_size);
}
void add(Interpreter& cpu, const Instruction& i, Gpr name, u64 delta) {
  const u64 value = cpu.gpr(name) + delta;
  if (i.address_size == 8) cpu.set_reg<u64>(u8(name * 8), value);
  if (i.address_size == 4) cpu.set_reg<u32>(u8(name * 8), u32(value));
  if (i.address_size == 2) cpu.set_reg<u16>(u8(name * 8), u16(value));
}
template <class T>
u64 step(Interpreter& cpu) {
  return cpu.s().rflags & x86::kDf ? u64(-i64(sizeof(T))) : sizeof(T);
}

template <class T>
void compare(Interpreter& cpu, T a, T b) {
  u16 flags;
  asm("cmp %[b], %[a]\n\t" POLLUX_TAKE_FLAGS : [f] "=&a"(flags) : [a] "r"(a), [b] "r"(b) : "cc");
  cpu.set_arithmetic_raw(flags);
}

// One operation: once() is one iteration without the count; bulk() does up to most iterations and says how many
// (0: none could be done at once). kCompares: REPE and REPNE look at ZF.
template <class T>
struct Movs {
  static constexpr bool kCompares = false;
  static void once(Interpreter& cpu, const Instruction& i) {
    const T value = cpu.read_at<T>(i.segment, index(cpu, i, x86::kRsi), i.address_size);
    cpu.write_at<T>(x86::kEs, index(cpu, i, x86::kRdi), i.address_size, value);
    const u64 by = step<T>(cpu);
    add(cpu, i, x86::kRsi, by);
    add(cpu, i, x86::kRdi, by);
  }
  static u64 bulk(Interpreter& cpu, const Instruction& i, u64 most) {
    const u64 rsi = cpu.gpr(x86::kRsi), rdi = cpu.gpr(x86::kRdi);
    const u64 from = rsi + cpu.s().segment[i.segment].base * x86::is_fs_or_gs(i.segment);
    const u64 room = memory::kPageSize - std::max(from & memory::kPageMask, rdi & memory::kPageMask);
    const u64 count = std::min(most, room / sizeof(T));
    const u64 bytes = count * sizeof(T);
    const std::byte* source = cpu.probe(from, mmu::Access::kRead);
    std::byte* target = source ? cpu.claim_stretch(rdi, bytes) : nullptr;
    if (!target || !(source = cpu.probe(from, mmu::Access::kRead))) return 0;
    if (target > source && target < source + bytes) {
      for (u64 k = 0; k < count; ++k) {  // overlapping: later iterations read what earlier ones wrote
        T value;
        std::memcpy(&value, source + k * sizeof(T), sizeof(T));
        std::memcpy(target + k * sizeof(T), &value, sizeof(T));
      }
    } else {
      std::memmove(target, source, bytes);
    }
    cpu.gpr(x86::kRsi) = rsi + bytes;
    cpu.gpr(x86::kRdi) = rdi + bytes;
    return count;
  }
};

template <class T>
struct Stos {
  static constexpr bool kCompares = false;
  static void once(Interpreter& cpu, const Instruction& i) {
    cpu.write_at<T>(x86::kEs, index(cpu, i, x86::kRdi), i.address_size, cpu.reg<T>(0));
    add(cpu, i, x86::kRdi, step<T>(cpu));
  }
  static u64 bulk(Interpreter& cpu, const Instruction&, u64 most) {
    const u64 rdi = cpu.gpr(x86::kRdi);
    const u64 count = std::min(most, (memory::kPageSize - (rdi & memory::kPageMask)) / sizeof(T));
    std::byte* target = cpu.claim_stretch(rdi, count * sizeof(T));
    if (!target) return 0;
    const T value = cpu.reg<T>(0);
    if (sizeof(T) == 1 || value == 0) {
      std::memset(target, u8(value), count * sizeof(T));
    } else {
      for (u64 k = 0; k < count; ++k) std::memcpy(target + k * sizeof(T), &value, sizeof(T));
    }
    cpu.gpr(x86::kRdi) = rdi + count * sizeof(T);
    return count;
  }
};

template <class T>
struct Lods {
  static constexpr bool kCompares = false;
  static void once(Interpreter& cpu, const Instruction& i) {
    cpu.set_reg<T>(0, cpu.read_at<T>(i.segment, index(cpu, i, x86::kRsi), i.address_size));
    add(cpu, i, x86::kRsi, step<T>(cpu));
  }
  static u64 bulk(Interpreter&, const Instruction&, u64) { return 0; }
};

template <class T>
struct Cmps {
  static constexpr bool kCompares = true;
  static void once(Interpreter& cpu, const Instruction& i) {
    const T a = cpu.read_at<T>(i.segment, index(cpu, i, x86::kRsi), i.address_size);
    const T b = cpu.read_at<T>(x86::kEs, index(cpu, i, x86::kRdi), i.address_size);
    compare<T>(cpu, a, b);
    const u64 by = step<T>(cpu);
    add(cpu, i, x86::kRsi, by);
    add(cpu, i, x86::kRdi, by);
  }
  static u64 bulk(Interpreter&, const Instruction&, u64) { return 0; }
};

template <class T>
struct Scas {
  static constexpr bool kCompares = true;
  static void once(Interpreter& cpu, const Instruction& i) {
    compare<T>(cpu, cpu.reg<T>(0), cpu.read_at<T>(x86::kEs, index(cpu, i, x86::kRdi), i.address_size));
    add(cpu, i, x86::kRdi, step<T>(cpu));
  }
  static u64 bulk(Interpreter&, const Instruction&, u64) { return 0; }
};

template <class T>
struct Ins {
  static constexpr bool kCompares = false;
  static void once(Interpreter& cpu, const Instruction& i) {
    const u16 port = cpu.reg<u16>(x86::kRdx * 8);
    require_port(cpu, port, sizeof(T));
    // The port is read only when the write cannot fault any more.
    const u64 linear = cpu.linear_of(x86::kEs, index(cpu, i, x86::kRdi), sizeof(T), mmu::Access::kWrite);
    cpu.check_write(linear, sizeof(T), x86::kEs);
    cpu.write_linear<T>(linear, T(cpu.bus().port_read(port, sizeof(T))), x86::kEs);
    add(cpu, i, x86::kRdi, step<T>(cpu));
  }
  static u64 bulk(Interpreter&, const Instruction&, u64) { return 0; }
};

template <class T>
struct Outs {
  static constexpr bool kCompares = false;
  static void once(Interpreter& cpu, const Instruction& i) {
    const u16 port = cpu.reg<u16>(x86::kRdx * 8);
    require_port(cpu, port, sizeof(T));
    const T value = cpu.read_at<T>(i.segment, index(cpu, i, x86::kRsi), i.address_size);
    cpu.bus().port_write(port, sizeof(T), value);
    add(cpu, i, x86::kRsi, step<T>(cpu));
  }
  static u64 bulk(Interpreter&, const Instruction&, u64) { return 0; }
};

template <class Op>
void repeat(Interpreter& cpu, const Instruction& i) {
  u64 left = index(cpu, i, x86::kRcx);
  if (left == 0) {
    add(cpu, i, x86::kRcx, 0);  // a 32-bit count is written even so
    return;
  }
  const bool plain = cpu.code64() && i.address_size == 8 && !cpu.checks_alignment();
  const bool may_bulk = plain && !(cpu.s().rflags & x86::kDf);
  for (;;) {
    const u64 budget = cpu.repeat_budget();
    u64 done = may_bulk ? Op::bulk(cpu, i, std::min(left, budget)) : 0;
    if (done == 0) {
      Op::once(cpu, i);
      done = 1;
    }
    left -= done;
    add(cpu, i, x86::kRcx, u64(-i64(done)));
    bool finished = left == 0;
    if constexpr (Op::kCompares) {
      const bool zero = cpu.arithmetic() & kHostZf;
      finished |= (i.bits & kRep) ? !zero : zero;
    }
    if (finished || done == budget || cpu.wants_attention()) {
      cpu.retire_iterations(done - 1);
      if (!finished) cpu.repeat_later();
      return;
    }
    cpu.retire_iterations(done);
  }
}

template <class Op>
void string(Interpreter& cpu, const Instruction& i) {
  if (i.bits & (kRep | kRepne)) {
    repeat<Op>(cpu, i);
  } else {
    Op::once(cpu, i);
  }
}

template <template <class> class Op>
void add_rows(std::vector<Binding>& r, decode::Mnemonic b, decode::Mnemonic w, decode::Mnemonic d, decode::Mnemonic q) {
  r.push_back({b, string<Op<u8>>, {}, Unit::kInteger, kEndsBlock});
  r.push_back({w, string<Op<u16>>, {}, Unit::kInteger, kEndsBlock});
  r.push_back({d, string<Op<u32>>, {}, Unit::kInteger, kEndsBlock});
  if (q != ZYDIS_MNEMONIC_INVALID) r.push_back({q, string<Op<u64>>, {}, Unit::kInteger, kEndsBlock});
}

}  // namespace

std::span<const Binding> string_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_rows<Movs>(r, ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ);
    add_rows<Stos>(r, ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ);
    add_rows<Lods>(r, ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD, ZYDIS_MNEMONIC_LODSQ);
    add_rows<Cmps>(r, ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ);
    add_rows<Scas>(r, ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ);
    add_rows<Ins>(r, ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_INVALID);
    add_rows<Outs>(r, ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, ZYDIS_MNEMONIC_OUTSD, ZYDIS_MNEMONIC_INVALID);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
