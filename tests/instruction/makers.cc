#include "makers.h"

#include <Zydis/Zydis.h>

#include <cstring>

#include "cpu/interpret/x87_remainder.h"

namespace pollux::test {

namespace {

constexpr i32 kRetired = -1, kBound = 5, kStack = 12, kProtection = 13, kPage = 14, kAlignment = 17;

bool memory_fault(i32 vector) {
  return vector == kStack || vector == kProtection || vector == kPage || vector == kAlignment;
}

// Ours faulted; the other maker's instruction is done.
void retire(const Input& in, Output& ours) {
  ours.vector = kRetired;
  ours.error = 0;
  ours.address = 0;
  ours.state.rip = in.state.rip + in.length;
}

// An operand begins at address and reaches into the page behind, and so many of its bytes lie before that.
u64 bytes_before_border(u64 address) { return 0x1000 - (address & 0xfff); }

template <class T>
bool read(const Output& from, u64 address, T& value) {
  const u8* const first = byte_at(from, address);
  if (!first || !byte_at(from, address + sizeof(T) - 1)) return false;
  std::memcpy(&value, first, sizeof value);
  return true;
}
// What lies outside the memory that is compared is lost.
void write(Output& to, u64 address, u64 value) {
  for (unsigned n = 0; n < sizeof value; ++n) {
    if (u8* const byte = byte_at(to, address + n)) *byte = u8(value >> 8 * n);
  }
}

// REPE and REPNE CMPS, SCAS between two iterations: AMD has the flags of the last one. Intel keeps those from before
// the instruction, as the SDM (vol. 2, REP) says of faults.
bool repeated_compare(const Input& in, Output& ours) {
  constexpr u64 kStatusFlags = 0x8d5;
  if (ours.vector != kRetired || ours.state.rip != in.state.rip) return false;
  if (!has_prefix(in, 0xf2) && !has_prefix(in, 0xf3)) return false;
  ours.state.rflags = (ours.state.rflags & ~kStatusFlags) | (in.state.rflags & kStatusFlags);
  return true;
}

// A store of an MMX register that faults: Intel has set TOP to 0 before, though not the tags.
bool mmx_store(const Input& in, Output& ours) {
  if (!memory_fault(ours.vector)) return false;
  constexpr u16 kTop = 0x3800;
  const unsigned top = in.state.fx.status >> 11 & 7;
  ours.state.fx.status &= u16(~kTop);
  const auto before = ours.state.fx.st;
  for (unsigned n = 0; n < 8; ++n) ours.state.fx.st[(n + top) & 7] = before[n];
  return true;
}

// An x87 store that an unmasked exception forbids: AMD looks at the place in memory even so, Intel does not.
bool forbidden_store(const Input& in, const Output& native, Output& ours) {
  if (!memory_fault(ours.vector) || native.vector != kRetired) return false;
  constexpr u16 kExceptions = 0x3f, kPrecision = 0x20, kStackFault = 0x40, kPending = 0x8080, kC1 = 0x200;
  const u16 was = in.state.fx.status, is = native.state.fx.status;
  const bool forbids = is & ~was & ~in.state.fx.control & kExceptions & ~kPrecision;
  const u16 free = kExceptions | kStackFault | kC1;
  if (!forbids || (is & ~free) != (u16(was & ~free) | kPending)) return false;
  if (was & ~is & (kExceptions | kStackFault)) return false;
  retire(in, ours);
  ours.state.fx.status = is;
  return true;
}

// FSTP, FBSTP of 80 bits whose last two are in a page that may not be written: Intel has written the first eight.
bool partial_store(const Row& row, const Input& in, const Output& native, Output& ours) {
  const u64 room = bytes_before_border(in.operand);
  if (ours.vector != kPage || native.vector != kPage || room < 8 || room > 9) return false;
  const unsigned top = in.state.fx.status >> 11 & 7;
  const bool empty = !(in.state.fx.tag >> top & 1);
  u64 first = empty ? 0xc000'0000'0000'0000 : in.state.fx.st[0].low;
  // Its digits are compared where nothing faults.
  if (row.binding->mnemonic == ZYDIS_MNEMONIC_FBSTP && !read(native, in.operand, first)) return false;
  write(ours, in.operand, first);
  return true;
}

// A call to a non-canonical address: Intel has pushed the return address when it faults.
bool pushing_call(const Input& in, const Output& native, Output& ours) {
  if (ours.vector != kProtection || native.vector != kProtection) return false;
  write(ours, in.state.gpr[4] - 8, in.state.rip + in.length);
  return true;
}

// The number of the register that is the first operand.
unsigned first_register(const Input& in) {
  cpu::decode::Decoded decoded;
  row_of(in.code_bits, std::as_bytes(std::span(in.code).first(in.length)), decoded);
  return decoded.operands[0].number;
}

// BOUND with an index below the lower bound: Intel does not look at the upper one.
template <class T>
bool lower_bound(const Input& in, Output& ours) {
  T lower;
  if (ours.vector != kPage || !read(ours, in.operand, lower)) return false;
  if (T(in.state.gpr[first_register(in)]) >= lower) return false;
  ours.vector = kBound;
  ours.error = 0;
  ours.address = 0;
  return true;
}

// MOVSXD to 16 bits: AMD reads 32 bits of memory, Intel 16.
bool short_movsxd(const Input& in, Output& ours) {
  u16 value;
  if (ours.vector != kPage || !read(ours, in.operand, value)) return false;
  u64& to = ours.state.gpr[first_register(in)];
  retire(in, ours);
  to = (to & ~u64(0xffff)) | value;
  return true;
}

// A step of FPREM, FPREM1 that does not finish takes from 32 to 63 bits off, and leaves the quotient's bits open.
bool other_step(const Input& in, const Output& native, Output& ours) {
  constexpr u16 kC2 = 0x400, kOpen = 0xc390;  // B C3 C1 C0 ES UE
  const auto of = [&](unsigned n) {
    const Fx::Register& value = in.state.fx.st[n];
    return x86::X87Register{value.low, u16(value.high), {}};
  };
  namespace x87 = cpu::interpret::x87;
  if (!(native.state.fx.status & ours.state.fx.status & kC2)) return false;
  ours.state.fx.status = (ours.state.fx.status & ~kOpen) | (native.state.fx.status & kOpen);
  for (unsigned bits = 32; bits < 64; ++bits) {
    const x86::X87Register value = x87::partial_remainder(of(0), of(1), in.state.fx.control, bits).value;
    ours.state.fx.st[0] = {value.significand, value.sign_exponent};
    const Fx::Register& got = native.state.fx.st[0];
    if (value.significand == got.low && value.sign_exponent == u16(got.high)) return true;
  }
  return false;
}

// FYL2X of a power of two: some processors call the exact product inexact, and a denormal one an underflow then.
bool inexact_logarithm(const Input& in, Output& ours) {
  constexpr u16 kExceptions = 0x3f, kUnderflow = 0x10, kPrecision = 0x20, kPending = 0x8080;
  if (ours.vector != kRetired) return false;
  const bool denormal = (ours.state.fx.st[0].high & 0x7fff) == 0;
  u16& status = ours.state.fx.status;
  status |= kPrecision | (denormal ? kUnderflow : 0);
  if (status & ~in.state.fx.control & kExceptions) status |= kPending;
  return true;
}

template <class T>
bool quiet_nan(T bits) {
  constexpr T kQuiet = sizeof(T) == 4 ? T(0x7fc0'0000) : T(0x7ff8'0000'0000'0000);
  return (bits & kQuiet) == kQuiet;
}

// DPPS, DPPD with several NaNs: Intel takes the sum of each lane for itself, and another NaN for each.
template <class T>
bool other_nan(const Input& in, const Output& native, Output& ours) {
  T to[16 / sizeof(T)], from[16 / sizeof(T)];
  Fx::Register& result = ours.state.fx.xmm[first_register(in)];
  std::memcpy(to, &result, 16);
  std::memcpy(from, &native.state.fx.xmm[first_register(in)], 16);
  for (unsigned n = 0; n < 16 / sizeof(T); ++n) {
    if (quiet_nan(to[n]) && quiet_nan(from[n])) to[n] = from[n];
  }
  std::memcpy(&result, to, 16);
  return true;
}

// FBLD of digits above nine pushes something.
bool no_decimal(const Input& in, const Output& native, Output& ours) {
  constexpr u16 kStackFault = 0x40;
  if (ours.vector != kRetired || native.vector != kRetired) return false;
  if (ours.state.fx.status & ~in.state.fx.status & kStackFault) return false;
  bool digits = true;
  for (unsigned n = 0; n < 9; ++n) {
    const u8* const two = byte_at(in, in.operand + n);
    digits &= two && (*two & 15) < 10 && *two >> 4 < 10;
  }
  ours.state.fx.st[0] = native.state.fx.st[0];
  return !digits;
}

}  // namespace

bool has_prefix(const Input& in, u8 prefix) {
  for (unsigned n = 0; n < in.length; ++n) {
    if (in.code[n] == prefix) return true;
    switch (in.code[n]) {
      case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3: break;
      default: return false;
    }
  }
  return false;
}

bool other_maker(const Row& row, const Input& in, const Output& native, Output& ours) {
  const unsigned bits = row.binding->operands[0].bits;
  switch (row.binding->mnemonic) {
    case ZYDIS_MNEMONIC_CMPSB: case ZYDIS_MNEMONIC_CMPSW: case ZYDIS_MNEMONIC_CMPSD: case ZYDIS_MNEMONIC_CMPSQ:
    case ZYDIS_MNEMONIC_SCASB: case ZYDIS_MNEMONIC_SCASW: case ZYDIS_MNEMONIC_SCASD: case ZYDIS_MNEMONIC_SCASQ:
      return row.binding->operands[0].kinds == 0 && repeated_compare(in, ours);
    case ZYDIS_MNEMONIC_MOVD: case ZYDIS_MNEMONIC_MOVQ: case ZYDIS_MNEMONIC_MOVNTQ:
      return row.binding->operands[1].kinds == cpu::interpret::pattern::kMmx.kinds && mmx_store(in, ours);
    case ZYDIS_MNEMONIC_FSTP: case ZYDIS_MNEMONIC_FBSTP:
      if (bits == 80 && partial_store(row, in, native, ours)) return true;
      [[fallthrough]];
    case ZYDIS_MNEMONIC_FST: case ZYDIS_MNEMONIC_FIST: case ZYDIS_MNEMONIC_FISTP: case ZYDIS_MNEMONIC_FISTTP:
      return forbidden_store(in, native, ours);
    case ZYDIS_MNEMONIC_FPREM: case ZYDIS_MNEMONIC_FPREM1: return other_step(in, native, ours);
    case ZYDIS_MNEMONIC_FYL2X: return inexact_logarithm(in, ours);
    case ZYDIS_MNEMONIC_FBLD: return no_decimal(in, native, ours);
    case ZYDIS_MNEMONIC_DPPS: return other_nan<u32>(in, native, ours);
    case ZYDIS_MNEMONIC_DPPD: return other_nan<u64>(in, native, ours);
    case ZYDIS_MNEMONIC_CALL: return pushing_call(in, native, ours);
    case ZYDIS_MNEMONIC_BOUND: return bits == 16 ? lower_bound<i16>(in, ours) : lower_bound<i32>(in, ours);
    case ZYDIS_MNEMONIC_MOVSXD: return bits == 16 && short_movsxd(in, ours);
    default: return false;
  }
}

}  // namespace pollux::test
