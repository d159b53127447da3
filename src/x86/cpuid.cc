// Source: Intel SDM vol. 2, CPUID. The model: an in-order processor of family 6, model 0x36, which does not speculate,
// with x86-64-v2 and what the headers below add. Everything else is absent, above all AVX, RDRAND, MONITOR, ERMS and
// performance counters.
#include "x86/cpuid.h"

#include <bit>
#include <string_view>

#include "x86/control.h"

namespace pollux::x86 {

namespace {

constexpr u32 bits(std::initializer_list<unsigned> numbers) {
  u32 value = 0;
  for (const unsigned n : numbers) value |= 1u << n;
  return value;
}

u32 letters(std::string_view text, unsigned from) {
  u32 value = 0;
  for (unsigned n = 0; n < 4 && from + n < text.size(); ++n) value |= u32(u8(text[from + n])) << (8 * n);
  return value;
}

constexpr u32 kLeaf1Edx = bits({
    0,   // FPU
    2,   // DE
    3,   // PSE
    4,   // TSC
    5,   // MSR
    6,   // PAE
    7,   // MCE
    8,   // CX8
    9,   // APIC
    11,  // SEP
    12,  // MTRR
    13,  // PGE
    14,  // MCA
    15,  // CMOV
    16,  // PAT
    17,  // PSE-36
    19,  // CLFSH
    23,  // MMX
    24,  // FXSR
    25,  // SSE
    26,  // SSE2
});
constexpr u32 kLeaf1Ecx = bits({
    0,   // SSE3
    1,   // PCLMULQDQ
    9,   // SSSE3
    13,  // CMPXCHG16B
    17,  // PCID
    19,  // SSE4.1
    20,  // SSE4.2
    21,  // x2APIC
    22,  // MOVBE
    23,  // POPCNT
    24,  // TSC deadline
    25,  // AES
    26,  // XSAVE
    31,  // hypervisor
});
constexpr u32 kLeaf7Ebx = bits({
    0,   // FSGSBASE
    1,   // TSC_ADJUST
    7,   // SMEP
    10,  // INVPCID
    20,  // SMAP
});
constexpr u32 kLeaf7Ecx = bits({2});  // UMIP
constexpr u32 kExtendedEdx = bits({
    11,  // SYSCALL in 64-bit mode
    20,  // NX
    26,  // 1 GiB pages
    27,  // RDTSCP
    29,  // long mode
});
constexpr u32 kExtendedEcx = bits({0});  // LAHF in 64-bit mode

constexpr u32 kSignature = 0x00030661;  // family 6, model 0x36, stepping 1
constexpr std::string_view kVendor = "GenuineIntel";
constexpr std::string_view kHypervisor = "PolluxPollux";
constexpr std::string_view kBrand = "Pollux deterministic x86-64 processor @ 1.00GHz";

}  // namespace

CpuidResult cpuid(u32 leaf, u32 subleaf, const State& state, const Topology& topology) {
  constexpr u32 kLastBasic = 0x16, kLastExtended = 0x80000008, kLastHypervisor = 0x40000010;
  const u32 apic_id = topology.apic_id;
  // How many low bits of an identifier number the cores.
  const unsigned core_bits = unsigned(std::bit_width(topology.processors - 1));
  switch (leaf) {
    case 0:
      return {kLastBasic, letters(kVendor, 0), letters(kVendor, 8), letters(kVendor, 4)};
    case 1: {
      const u32 osxsave = state.cr4 & kCr4Osxsave ? 1u << 27 : 0;
      const u32 several = topology.processors > 1 ? 1u << 28 : 0;  // HTT: the number in EBX is valid
      return {kSignature, apic_id << 24 | topology.processors << 16 | 8 << 8, kLeaf1Ecx | osxsave, kLeaf1Edx | several};
    }
    case 2:
      return {0x00000001, 0, 0, 0};
    case 4: {  // caches, each of one core: 32 KiB of instructions, 32 KiB of data, 1 MiB
      const u32 cores = ((1u << core_bits) - 1) << 26;
      switch (subleaf) {
        case 0: return {cores | 0x121, 0x01c0003f, 63, 0};
        case 1: return {cores | 0x122, 0x01c0003f, 63, 0};
        case 2: return {cores | 0x143, 0x03c0003f, 1023, 0};
        default: return {};
      }
    }
    case 6:
      return {bits({2}), 0, 0, 0};  // ARAT: the timer runs in every sleep state
    case 7:
      return subleaf == 0 ? CpuidResult{0, kLeaf7Ebx, kLeaf7Ecx, 0} : CpuidResult{};
    case 0xb:  // one thread a core; all cores in one package
      if (subleaf == 0) return {0, 1, 0x100, apic_id};
      if (subleaf == 1) return {core_bits, topology.processors, 0x201, apic_id};
      return {0, 0, subleaf, apic_id};
    case 0xd:
      if (subleaf == 0) return {3, 576, 576, 0};  // x87 and SSE state, legacy area and header
      return {};
    case 0x15:  // crystal 1 GHz, TSC at ratio 1
      return {1, 1, u32(kTscHz), 0};
    case 0x16:  // MHz
      return {1000, 1000, 100, 0};
    case 0x40000000:
      return {kLastHypervisor, letters(kHypervisor, 0), letters(kHypervisor, 4), letters(kHypervisor, 8)};
    case 0x40000010:  // kHz
      return {u32(kTscHz / 1000), u32(kApicBusHz / 1000), 0, 0};
    case 0x80000000:
      return {kLastExtended, 0, 0, 0};
    case 0x80000001:
      return {0, 0, kExtendedEcx, kExtendedEdx};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const unsigned from = (leaf - 0x80000002) * 16;
      return {letters(kBrand, from), letters(kBrand, from + 4), letters(kBrand, from + 8), letters(kBrand, from + 12)};
    }
    case 0x80000006:
      return {0, 0, 1024u << 16 | 8 << 12 | 64, 0};
    case 0x80000007:
      return {0, 0, 0, bits({8})};  // invariant TSC
    case 0x80000008:
      return {48u << 8 | 40, 0, 0, 0};  // 48 linear, 40 physical address bits
    default:
      // Beyond the last basic leaf Intel processors answer with it; a fixed zero is as good and simpler.
      return {};
  }
}

}  // namespace pollux::x86
