// Control-register, EFER, DR and segment-attribute bits. Source: Intel SDM vol. 3, 2.5, 3.4.5, 17.2; vol. 4.
#pragma once

#include "x86/state.h"

namespace pollux::x86 {

enum Cr0 : u64 {
  kCr0Pe = 1u << 0,
  kCr0Mp = 1u << 1,
  kCr0Em = 1u << 2,
  kCr0Ts = 1u << 3,
  kCr0Et = 1u << 4,
  kCr0Ne = 1u << 5,
  kCr0Wp = 1u << 16,
  kCr0Am = 1u << 18,
  kCr0Nw = 1u << 29,
  kCr0Cd = 1u << 30,
  kCr0Pg = 1u << 31,
};

enum Cr4 : u64 {
  kCr4Vme = 1u << 0,
  kCr4Pvi = 1u << 1,
  kCr4Tsd = 1u << 2,
  kCr4De = 1u << 3,
  kCr4Pse = 1u << 4,
  kCr4Pae = 1u << 5,
  kCr4Mce = 1u << 6,
  kCr4Pge = 1u << 7,
  kCr4Pce = 1u << 8,
  kCr4Osfxsr = 1u << 9,
  kCr4Osxmmexcpt = 1u << 10,
  kCr4Umip = 1u << 11,
  kCr4Fsgsbase = 1u << 16,
  kCr4Pcide = 1u << 17,
  kCr4Osxsave = 1u << 18,
  kCr4Smep = 1u << 20,
  kCr4Smap = 1u << 21,
};

enum Efer : u64 {
  kEferSce = 1u << 0,
  kEferLme = 1u << 8,
  kEferLma = 1u << 10,
  kEferNxe = 1u << 11,
};

// Segment::attributes (x86/state.h).
enum SegmentBit : u16 {
  kSegAccessed = 1,
  kSegWritable = 2,    // data
  kSegReadable = 2,    // code
  kSegExpandDown = 4,  // data
  kSegConforming = 4,  // code
  kSegCode = 8,
  kSegSystem = 16,  // set: code or data; clear: system
  kSegPresent = 0x80,
  kSegLong = 0x2000,
  kSegBig = 0x4000,
  kSegGranular = 0x8000,
};

// What SYSCALL, SYSRET and their like make of CS and SS, but for the kind of code and the privilege level.
inline constexpr u16 kFlatCode = kSegGranular | kSegPresent | kSegSystem | kSegCode | 3;  // read, accessed
inline constexpr u16 kFlatData = kSegGranular | kSegBig | kSegPresent | kSegSystem | 3;
inline constexpr unsigned kPrivilegeShift = 5;

inline unsigned privilege_of(const Segment& s) { return s.attributes >> kPrivilegeShift & 3; }

// Whether bits 63 to 47 of a linear address are equal (SDM vol. 1, 3.3.7.1).
constexpr bool is_canonical(u64 linear) { return u64(i64(linear << 16) >> 16) == linear; }

}  // namespace pollux::x86
