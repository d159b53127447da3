// MXCSR, and the save areas of FXSAVE and XSAVE (SDM vol. 1, 10.5 and chapter 13). State components: x87 (bit 0) and
// SSE (bit 1) of XCR0; standard format only.
//
// Where processors may differ: XSAVE and XSAVEOPT always count both components as in use, so they save whatever is
// asked for. FXSAVE and FXRSTOR move XMM registers and MXCSR whether or not CR4.OSFXSR is set. FCS and FDS are zero.
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/x87_handler.h"
#include "cpu/interpret/x87_image.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using mmu::Access;
using x86::Exception;

constexpr u32 kMxcsrMask = 0xffff;  // the bits that exist; MISALIGNSSE is not one of them
constexpr u64 kX87Component = 1, kSseComponent = 2;
constexpr unsigned kXmmOffset = 160, kLegacySize = 512, kHeaderSize = 64;

// The legacy region up to the last XMM register.
struct Area {
  u16 control;
  u16 status;
  u8 tag;
  u8 reserved = 0;
  u16 opcode;
  u64 instruction_pointer;
  u64 data_pointer;
  u32 mxcsr;
  u32 mxcsr_mask;
  struct {
    u64 significand;
    u64 sign_exponent;
  } st[8];
  x86::Xmm xmm[16];
};
static_assert(sizeof(Area) == 416 && offsetof(Area, xmm) == kXmmOffset && offsetof(Area, mxcsr) == 24);

struct Header {
  u64 in_use;     // XSTATE_BV
  u64 compacted;  // XCOMP_BV
  u64 reserved[6];
};
static_assert(sizeof(Header) == kHeaderSize);

unsigned xmm_count(Interpreter& r) { return r.code64() ? 16 : 8; }

u64 area_address(Interpreter& r, const Instruction& i, unsigned size, unsigned alignment, Access access) {
  const u64 linear = r.address(i, size, access);
  if (linear & (alignment - 1)) {
    const bool canonical = !r.code64() || x86::is_canonical(linear);
    r.raise(!canonical && i.segment == x86::kSs ? Exception::kStack : Exception::kProtection, 0);
  }
  return linear;
}

void put_x87(Interpreter& r, bool wide_pointers, Area& to) {
  const x86::X87& f = r.s().x87;
  to.control = f.control;
  to.status = f.status;
  to.tag = f.tag;
  to.opcode = f.opcode;
  to.instruction_pointer = wide_pointers ? f.instruction_pointer : u32(f.instruction_pointer);
  to.data_pointer = wide_pointers ? f.data_pointer : u32(f.data_pointer);
  for (unsigned n = 0; n < 8; ++n) {
    const x86::X87Register& value = f.registers[X87Stack(r.s().x87).physical(n)];
    to.st[n] = {value.significand, value.sign_exponent};
  }
}

void get_x87(Interpreter& r, bool wide_pointers, const Area& from) {
  x86::X87& f = r.s().x87;
  f.control = (from.control & kX87ControlBits) | kX87ControlFixed;
  f.status = from.status;
  f.tag = from.tag;
  f.opcode = from.opcode & 0x7ff;
  f.instruction_pointer = wide_pointers ? from.instruction_pointer : u32(from.instruction_pointer);
  f.data_pointer = wide_pointers ? from.data_pointer : u32(from.data_pointer);
  X87Stack stack(f);
  for (unsigned n = 0; n < 8; ++n)
    f.registers[stack.physical(n)] = {from.st[n].significand, u16(from.st[n].sign_exponent), {}};
  stack.update_summary();
}

void check_mxcsr(Interpreter& r, u32 value) {
  if (value & ~kMxcsrMask) r.raise(Exception::kProtection, 0);
}

// ---- MXCSR ----
void ldmxcsr(Interpreter& r, const Instruction& i) {
  const u32 value = r.load<u32>(i);
  check_mxcsr(r, value);
  r.set_mxcsr(value);
}
void stmxcsr(Interpreter& r, const Instruction& i) { r.store<u32>(i, r.mxcsr()); }

// ---- FXSAVE ----
template <bool kWide>
void fxsave(Interpreter& r, const Instruction& i) {
  const u64 linear = area_address(r, i, kLegacySize, 16, Access::kWrite);
  Area area;
  put_x87(r, kWide, area);
  area.mxcsr = r.mxcsr();
  area.mxcsr_mask = kMxcsrMask;
  for (unsigned n = 0; n < xmm_count(r); ++n) area.xmm[n] = r.s().xmm[n];
  r.check_write(linear, kLegacySize, i.segment);
  r.write_bytes(linear, &area, unsigned(kXmmOffset + xmm_count(r) * sizeof(x86::Xmm)), i.segment);
}

template <bool kWide>
void fxrstor(Interpreter& r, const Instruction& i) {
  const u64 linear = area_address(r, i, kLegacySize, 16, Access::kRead);
  std::array<std::byte, kLegacySize> bytes;
  r.read_bytes(linear, bytes.data(), kLegacySize, i.segment);
  Area area;
  std::memcpy(static_cast<void*>(&area), bytes.data(), sizeof area);
  check_mxcsr(r, area.mxcsr);
  get_x87(r, kWide, area);
  for (unsigned n = 0; n < xmm_count(r); ++n) r.s().xmm[n] = area.xmm[n];
  r.set_mxcsr(area.mxcsr);
}

// ---- XSAVE ----
u64 requested(Interpreter& r) {
  const u64 mask = r.gpr(x86::kRdx) << 32 | u32(r.gpr(x86::kRax));
  return mask & r.s().xcr0;
}

template <bool kWide>
void xsave(Interpreter& r, const Instruction& i) {
  constexpr unsigned kSize = kLegacySize + kHeaderSize;
  const u64 linear = area_address(r, i, kSize, 64, Access::kWrite);
  const u64 components = requested(r);
  r.check_write(linear, kSize, i.segment);
  u64 in_use = r.read_linear<u64>(linear + kLegacySize, i.segment);
  in_use = (in_use & ~components) | components;
  Area area;
  if (components & kX87Component) {
    put_x87(r, kWide, area);
    r.write_bytes(linear, &area, offsetof(Area, mxcsr), i.segment);
    r.write_bytes(linear + offsetof(Area, st), &area.st, sizeof area.st, i.segment);
  }
  if (components & kSseComponent) {
    const u64 mxcsr = u64(kMxcsrMask) << 32 | r.mxcsr();
    r.write_linear<u64>(linear + offsetof(Area, mxcsr), mxcsr, i.segment);
    const unsigned bytes = unsigned(xmm_count(r) * sizeof(x86::Xmm));
    r.write_bytes(linear + kXmmOffset, r.s().xmm.data(), bytes, i.segment);
  }
  r.write_linear<u64>(linear + kLegacySize, in_use, i.segment);
}

template <bool kWide>
void xrstor(Interpreter& r, const Instruction& i) {
  constexpr unsigned kSize = kLegacySize + kHeaderSize;
  const u64 linear = area_address(r, i, kSize, 64, Access::kRead);
  std::array<std::byte, kSize> bytes;
  r.read_bytes(linear, bytes.data(), kSize, i.segment);
  Header header;
  std::memcpy(&header, &bytes[kLegacySize], sizeof header);
  if ((header.in_use & ~r.s().xcr0) || header.compacted || header.reserved[0]) r.raise(Exception::kProtection, 0);
  Area area;
  std::memcpy(static_cast<void*>(&area), bytes.data(), sizeof area);
  const u64 components = requested(r);
  if (components & kSseComponent) check_mxcsr(r, area.mxcsr);
  if (components & kX87Component) {
    if (header.in_use & kX87Component) {
      get_x87(r, kWide, area);
    } else {
      x87::initialize(r.s().x87);
      r.s().x87.registers = {};
    }
  }
  if (components & kSseComponent) {
    const bool saved = header.in_use & kSseComponent;
    for (unsigned n = 0; n < xmm_count(r); ++n) r.s().xmm[n] = saved ? area.xmm[n] : x86::Xmm{};
    r.set_mxcsr(area.mxcsr);
  }
}

constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_LDMXCSR, ldmxcsr, {kMem}, Unit::kSse, kEndsBlock},
    {ZYDIS_MNEMONIC_STMXCSR, stmxcsr, {kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_FXSAVE, fxsave<false>, {kMem}, Unit::kFxsave},
    {ZYDIS_MNEMONIC_FXSAVE64, fxsave<true>, {kMem}, Unit::kFxsave},
    {ZYDIS_MNEMONIC_FXRSTOR, fxrstor<false>, {kMem}, Unit::kFxsave, kEndsBlock},
    {ZYDIS_MNEMONIC_FXRSTOR64, fxrstor<true>, {kMem}, Unit::kFxsave, kEndsBlock},
    {ZYDIS_MNEMONIC_XSAVE, xsave<false>, {kMem}, Unit::kXsave},
    {ZYDIS_MNEMONIC_XSAVE64, xsave<true>, {kMem}, Unit::kXsave},
    {ZYDIS_MNEMONIC_XRSTOR, xrstor<false>, {kMem}, Unit::kXsave, kEndsBlock},
    {ZYDIS_MNEMONIC_XRSTOR64, xrstor<true>, {kMem}, Unit::kXsave, kEndsBlock},
};

}  // namespace

std::span<const Binding> sse_state_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
