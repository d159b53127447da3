// The processor model as CPUID tells it: fixed, the same on every host. docs/determinism.md has the table.
#pragma once

#include "x86/state.h"

namespace pollux::x86 {

struct CpuidResult {
  u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// A processor's place in its machine: one package, of as many cores as there are processors, of one thread each. Local
// APIC identifiers count from 0.
struct Topology {
  u32 apic_id = 0;
  u32 processors = 1;
};

inline constexpr u64 kTscHz = 1'000'000'000;       // the counter runs at one tick a virtual nanosecond
inline constexpr u64 kApicBusHz = 1'000'000'000;

// A few bits depend on the state: OSXSAVE, and the size of the XSAVE area.
CpuidResult cpuid(u32 leaf, u32 subleaf, const State& state, const Topology& topology);

}  // namespace pollux::x86
