#include "compare.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "makers.h"

namespace pollux::test {

namespace {

constexpr u64 kComparedFlags = 0x244cd5;  // CF PF AF ZF SF DF OF NT AC ID; not TF, RF and what user mode cannot change

struct Range {
  unsigned from, to;
};
// Bytes of the memory operand that hold FIP, FOP, FDP or MXCSR_MASK.
std::vector<Range> ignored_bytes(int mnemonic, bool narrow) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64: return {{6, 24}, {28, 32}};
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE: return narrow ? std::vector<Range>{{6, 14}} : std::vector<Range>{{12, 28}};
    default: return {};
  }
}

bool transcendental(int mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_FSIN: case ZYDIS_MNEMONIC_FCOS: case ZYDIS_MNEMONIC_FSINCOS: case ZYDIS_MNEMONIC_FPTAN:
    case ZYDIS_MNEMONIC_FPATAN: case ZYDIS_MNEMONIC_F2XM1: case ZYDIS_MNEMONIC_FYL2X:
    case ZYDIS_MNEMONIC_FYL2XP1: return true;
    default: return false;
  }
}
bool approximate(int mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_RCPPS || mnemonic == ZYDIS_MNEMONIC_RCPSS || mnemonic == ZYDIS_MNEMONIC_RSQRTPS ||
         mnemonic == ZYDIS_MNEMONIC_RSQRTSS;
}

bool near_single(u32 a, u32 b) {
  if (a == b) return true;
  float x, y;
  std::memcpy(&x, &a, 4);
  std::memcpy(&y, &b, 4);
  if (!std::isfinite(x) || !std::isfinite(y)) return false;
  constexpr float kSmallest = 0x1p-126f;  // tiny results become zero here
  if (std::fabs(x) < kSmallest * 1.01f && std::fabs(y) < kSmallest * 1.01f) return std::signbit(x) == std::signbit(y);
  return std::fabs(x - y) <= std::fabs(y) * 0x1p-11f;
}
bool near_vector(const Fx::Register& a, const Fx::Register& b) {
  return near_single(u32(a.low), u32(b.low)) && near_single(u32(a.low >> 32), u32(b.low >> 32)) &&
         near_single(u32(a.high), u32(b.high)) && near_single(u32(a.high >> 32), u32(b.high >> 32));
}

// Two units in the last place; for trigonometric functions of x also what a reduction by a short pi brings.
bool near_extended(const Fx::Register& a, const Fx::Register& b, long double of) {
  if (a.low == b.low && u16(a.high) == u16(b.high)) return true;
  long double x, y;
  std::memcpy(&x, &a, 10);
  std::memcpy(&y, &b, 10);
  if (std::isnan(x) || std::isnan(y) || std::isinf(x) || std::isinf(y)) return false;
  const long double reduction = of == 0 ? 0 : fabsl(of) * 0x1p-65L * (1 + y * y);
  return fabsl(x - y) <= fabsl(y) * 0x1p-62L + 0x1p-16400L + reduction;
}

// Condition codes of the x87 status that the manual leaves undefined, or in which a maker departs from it.
u16 undefined_conditions(int mnemonic) {
  constexpr u16 kC1 = 0x200, kAll = 0x4700;
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_FFREE: case ZYDIS_MNEMONIC_FFREEP: return kAll;
    case ZYDIS_MNEMONIC_FCOMI: case ZYDIS_MNEMONIC_FCOMIP: case ZYDIS_MNEMONIC_FUCOMI:
    case ZYDIS_MNEMONIC_FUCOMIP: return kC1;  // the manual: cleared; some processors keep it
    default: return transcendental(mnemonic) ? kC1 : 0;
  }
}

bool flag_compare(int mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_FCOMI || mnemonic == ZYDIS_MNEMONIC_FCOMIP || mnemonic == ZYDIS_MNEMONIC_FUCOMI ||
         mnemonic == ZYDIS_MNEMONIC_FUCOMIP;
}

// CMPS with both operands in pages that are not there: the manual does not say which of them is read first. Here it is
// [rsi]; some processors begin with [rdi].
bool other_operand_of_cmps(int mnemonic, const Input& in, const Output& native, const Output& ours) {
  u64 size = 0;
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_CMPSB: size = 1; break;
    case ZYDIS_MNEMONIC_CMPSW: size = 2; break;
    case ZYDIS_MNEMONIC_CMPSD: size = 4; break;
    case ZYDIS_MNEMONIC_CMPSQ: size = 8; break;
    default: return false;
  }
  if (native.vector != 14 || ours.vector != 14 || in.operand != 0) return false;
  // The registers at the fault name the iteration; a prefix may make the addresses narrower.
  const bool narrow = std::find(in.code.begin(), in.code.begin() + in.length, 0x67) != in.code.begin() + in.length;
  const u64 mask = in.code_bits == 64 ? (narrow ? 0xffff'ffff : ~u64(0)) : (narrow ? 0xffff : 0xffff'ffff);
  const u64 into_source = ours.address - (ours.state.gpr[6] & mask);
  const u64 into_destination = native.address - (native.state.gpr[7] & mask);
  return into_source < size && into_destination < size;
}

// What the manual leaves open altogether: a 16-bit double shift by more than 16, and operands out of the range of
// F2XM1 and FYL2XP1.
bool undefined_result(const Row& row, const Input& in) {
  // An unmasked denormal: the manual pushes nothing, some processors do.
  constexpr u16 kDenormal = 2;
  const bool converts = row.binding->operands[0].bits == 32 || row.binding->operands[0].bits == 64;
  if (row.binding->mnemonic == ZYDIS_MNEMONIC_FLD && converts && !(in.state.fx.control & kDenormal)) return true;
  constexpr u16 kPending = 0x80;
  const bool to_single = row.binding->mnemonic == ZYDIS_MNEMONIC_CVTPI2PS;
  if (to_single && in.operand != 0 && (in.state.fx.status & kPending)) return true;
  const unsigned exponent = in.state.fx.st[0].high & 0x7fff;
  if (row.binding->mnemonic == ZYDIS_MNEMONIC_F2XM1 && exponent >= 0x3fff) return true;
  if (row.binding->mnemonic == ZYDIS_MNEMONIC_FYL2XP1 && exponent >= 0x3ffd) return true;
  if (row.binding->mnemonic != ZYDIS_MNEMONIC_SHLD && row.binding->mnemonic != ZYDIS_MNEMONIC_SHRD) return false;
  if (row.binding->operands[0].bits != 16) return false;
  const bool by_cl = row.binding->operands[2].kinds != cpu::interpret::pattern::kImm.kinds;
  return ((by_cl ? in.state.gpr[1] : in.code[in.length - 1]) & 31) > 16;
}

// Whether an address is one of the largest operand's, FXSAVE's, where it may begin in one missing page and end in
// another.
bool inside_large(const Input& in, u64 address) { return address - in.operand < 512; }

// Makes what may differ equal in ours.
void forgive(const Row& row, const Input& in, const Output& native, Output& ours, Output& theirs) {
  const int mnemonic = row.binding->mnemonic;
  const u64 flags = kComparedFlags & ~u64(row.binding->undefined);
  ours.state.rflags &= flags;
  theirs.state.rflags &= flags;
  ours.state.fx.opcode = theirs.state.fx.opcode = 0;
  ours.state.fx.instruction_pointer = theirs.state.fx.instruction_pointer = 0;
  ours.state.fx.data_pointer = theirs.state.fx.data_pointer = 0;
  ours.state.fx.mxcsr_mask = theirs.state.fx.mxcsr_mask = 0;
  ours.state.fx.unused = theirs.state.fx.unused = {};
  if (native.vector != 14) {
    ours.address = theirs.address = 0;
    if (native.vector < 10 || native.vector > 13) ours.error = theirs.error = 0;
  }
  const u16 conditions = undefined_conditions(mnemonic);
  ours.state.fx.status &= u16(~conditions);
  theirs.state.fx.status &= u16(~conditions);
  // An unmasked exception: the manual leaves RFLAGS as they were; some processors write them.
  constexpr u16 kPending = 0x80;
  if (flag_compare(mnemonic) && (native.state.fx.status & kPending)) {
    ours.state.rflags = theirs.state.rflags;
  }
  // Addresses of the kernel's half: Linux always reports them as protected.
  constexpr u64 kUserEnd = 0x7fff'ffff'f000;
  if (native.vector == 14 && native.address >= kUserEnd) ours.error |= 1;
  // Large operands are accessed in an order of the maker's.
  if (native.vector == 14 && inside_large(in, ours.address) && inside_large(in, native.address)) {
    bool large = false;
    switch (mnemonic) {
      case ZYDIS_MNEMONIC_FXSAVE: case ZYDIS_MNEMONIC_FXSAVE64: case ZYDIS_MNEMONIC_FXRSTOR:
      case ZYDIS_MNEMONIC_FXRSTOR64: case ZYDIS_MNEMONIC_FNSAVE: case ZYDIS_MNEMONIC_FRSTOR:
      case ZYDIS_MNEMONIC_FNSTENV: case ZYDIS_MNEMONIC_FLDENV: large = true; break;
      default: break;
    }
    if (large) ours.address = theirs.address;
  }
  if (other_operand_of_cmps(mnemonic, in, native, ours)) ours.address = theirs.address;
  // CVTPI2PS from memory: the manual makes the x87 registers MMX ones, some processors do not.
  const bool from_memory = mnemonic == ZYDIS_MNEMONIC_CVTPI2PS && in.operand != 0;
  // POPA that faults half-way may have written registers already.
  if (native.vector >= 0 && (mnemonic == ZYDIS_MNEMONIC_POPA || mnemonic == ZYDIS_MNEMONIC_POPAD)) {
    ours.state.gpr = theirs.state.gpr;
  }
  // Beside an unmasked overflow or underflow, #P says whether the result with its exponent unbounded is inexact; here
  // it is as for the masked response. Which of the steps of a dot product met a denormal is the maker's.
  if (native.vector == 19) {
    const u32 loose = mnemonic == ZYDIS_MNEMONIC_DPPS || mnemonic == ZYDIS_MNEMONIC_DPPD ? 0x3f : 0x20;
    if (loose == 0x3f || (native.state.fx.mxcsr & ~(in.state.fx.mxcsr >> 7) & 0x18)) {
      ours.state.fx.mxcsr |= loose;
      theirs.state.fx.mxcsr |= loose;
    }
  }
  // Whether a conversion that raises #XM has already turned the x87 registers into MMX ones differs by maker.
  if (native.vector == 19 || from_memory) {
    ours.state.fx.status = theirs.state.fx.status;
    ours.state.fx.tag = theirs.state.fx.tag;
    ours.state.fx.st = theirs.state.fx.st;
  }
  const bool narrow = in.code[0] == 0x66 || in.code[1] == 0x66 || in.code[2] == 0x66;
  for (const Range range : ignored_bytes(mnemonic, narrow)) {
    for (unsigned n = range.from; n < range.to; ++n) {
      u8* const to = byte_at(ours, in.operand + n);
      u8* const from = byte_at(theirs, in.operand + n);
      if (to && from) *to = *from = 0;
    }
  }
  if (mnemonic == ZYDIS_MNEMONIC_PUSHF || mnemonic == ZYDIS_MNEMONIC_PUSHFD || mnemonic == ZYDIS_MNEMONIC_PUSHFQ) {
    u8* const pushed = byte_at(theirs, native.state.gpr[4] + 1);  // the trap flag under which the host ran
    if (pushed) *pushed &= u8(~1);
  }
  if (approximate(mnemonic) && native.vector < 0) {
    for (unsigned n = 0; n < 16; ++n) {
      if (near_vector(ours.state.fx.xmm[n], native.state.fx.xmm[n])) ours.state.fx.xmm[n] = native.state.fx.xmm[n];
    }
  }
  if (transcendental(mnemonic) && native.vector < 0) {
    const bool trigonometric = mnemonic == ZYDIS_MNEMONIC_FSIN || mnemonic == ZYDIS_MNEMONIC_FCOS ||
                               mnemonic == ZYDIS_MNEMONIC_FSINCOS || mnemonic == ZYDIS_MNEMONIC_FPTAN;
    long double of = 0;
    if (trigonometric) std::memcpy(&of, &in.state.fx.st[0], 10);
    if (!(fabsl(of) > 0.5L && fabsl(of) < 0x1p63L)) of = 0;
    for (unsigned n = 0; n < 8; ++n) {
      if (near_extended(ours.state.fx.st[n], native.state.fx.st[n], of)) ours.state.fx.st[n] = native.state.fx.st[n];
    }
  }
}

std::string hex(u64 value) {
  char text[24];
  std::snprintf(text, sizeof text, "%016lx", value);
  return text;
}
std::string hex(const Fx::Register& value) { return hex(value.high) + ":" + hex(value.low); }

struct Line {
  std::string name, before, native, ours;
};

std::vector<Line> lines(const Input& in, const Output& native, const Output& ours) {
  static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  std::vector<Line> result;
  const auto add = [&](std::string name, auto before, auto a, auto b) {
    result.push_back({std::move(name), hex(before), hex(a), hex(b)});
  };
  const State &s = in.state, &n = native.state, &o = ours.state;
  add("exception", u64(0), u64(i64(native.vector)), u64(i64(ours.vector)));
  add("error", u64(0), u64(native.error), u64(ours.error));
  add("address", u64(0), native.address, ours.address);
  for (unsigned k = 0; k < 16; ++k) add(kNames[k], s.gpr[k], n.gpr[k], o.gpr[k]);
  add("rip", s.rip, n.rip, o.rip);
  add("rflags", s.rflags, n.rflags, o.rflags);
  add("mxcsr", u64(s.fx.mxcsr), u64(n.fx.mxcsr), u64(o.fx.mxcsr));
  for (unsigned k = 0; k < 16; ++k) add("xmm" + std::to_string(k), s.fx.xmm[k], n.fx.xmm[k], o.fx.xmm[k]);
  add("control", u64(s.fx.control), u64(n.fx.control), u64(o.fx.control));
  add("status", u64(s.fx.status), u64(n.fx.status), u64(o.fx.status));
  add("tags", u64(u8(s.fx.tag)), u64(u8(n.fx.tag)), u64(u8(o.fx.tag)));
  const auto eighty = [](Fx::Register value) { return Fx::Register{value.low, u16(value.high)}; };
  for (unsigned k = 0; k < 8; ++k) {
    add("st" + std::to_string(k), eighty(s.fx.st[k]), eighty(n.fx.st[k]), eighty(o.fx.st[k]));
  }
  const auto memory = [&](u64 at, const u8* before, const u8* a, const u8* b, u64 size) {
    for (u64 k = 0; k < size; k += 8) {
      u64 v[3];
      std::memcpy(&v[0], before + k, 8);
      std::memcpy(&v[1], a + k, 8);
      std::memcpy(&v[2], b + k, 8);
      add("[" + hex(at + k).substr(8) + "]", v[0], v[1], v[2]);
    }
  };
  memory(kWindow, in.window.data(), native.window.data(), ours.window.data(), kWindowSize);
  memory(kEdge, in.edge.data(), native.edge.data(), ours.edge.data(), kEdgeSize);
  return result;
}

bool equal(const Output& a, const Output& b) {
  return a.vector == b.vector && a.error == b.error && a.address == b.address && a.state.gpr == b.state.gpr &&
         a.state.rip == b.state.rip && a.state.rflags == b.state.rflags &&
         std::memcmp(&a.state.fx, &b.state.fx, 416) == 0 && a.window == b.window && a.edge == b.edge;
}

}  // namespace

std::string compare(const Row& row, const Input& in, const Output& native, const Output& ours) {
  if (undefined_result(row, in)) return "";
  // A host with MISALIGNSSE lets the bit be set.
  constexpr u32 kMisalignSse = 1u << 17;
  if (native.state.fx.mxcsr & kMisalignSse) return "";
  // MASKMOVQ and MASKMOVDQU: whether bytes that are not selected are looked at is the maker's.
  const bool masked_store =
      row.binding->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || row.binding->mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU;
  if (masked_store && native.vector >= 0) return "";
  // A call to a non-canonical address with a stack that faults: either fault may come first.
  if (row.binding->mnemonic == ZYDIS_MNEMONIC_CALL && ours.vector == 13 &&
      (native.vector == 14 || native.vector == 12)) {
    return "";
  }
  static thread_local Output a, b, other;
  a = ours;
  b = native;
  forgive(row, in, native, a, b);
  if (equal(a, b)) return "";
  other = ours;
  if (other_maker(row, in, native, other)) {
    Output again = native;
    forgive(row, in, native, other, again);
    if (equal(other, again)) return "";
  }
  std::string names;
  for (const Line& line : lines(in, b, a)) {
    if (line.native != line.ours) names += (names.empty() ? "" : " ") + line.name;
  }
  return names;
}

std::string describe(const Row& row, const Input& in, const Output& native, const Output& ours) {
  std::string text = row.name + ":";
  for (unsigned n = 0; n < in.length; ++n) {
    char byte[4];
    std::snprintf(byte, sizeof byte, " %02x", in.code[n]);
    text += byte;
  }
  ZydisDisassembledInstruction z;
  const auto mode = in.code_bits == 64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LONG_COMPAT_32;
  if (ZYAN_SUCCESS(ZydisDisassembleIntel(mode, kCodeAt, in.code.data(), in.length, &z))) {
    text += std::string("   ") + z.text;
  }
  text += "\n  operand at " + hex(in.operand) + "\n";
  char head[160];
  std::snprintf(head, sizeof head, "    %-12s %-33s %-33s %s\n", "", "before", "host", "Pollux");
  text += head;
  for (const Line& line : lines(in, native, ours)) {
    const bool differs = line.native != line.ours;
    if (!differs && (line.before == line.native || line.name[0] == '[')) {
      if (line.name[0] == '[' || line.name == "error" || line.name == "address") continue;
    }
    std::snprintf(head, sizeof head, "  %c %-12s %-33s %-33s %s\n", differs ? '*' : ' ', line.name.c_str(),
                  line.before.c_str(), line.native.c_str(), line.ours.c_str());
    text += head;
  }
  return text;
}

}  // namespace pollux::test
