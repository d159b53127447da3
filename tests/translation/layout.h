// Where things are in the guests of this test.
//
//   linear                     physical             what
//   0 - 0x1ffff                the same             the system's: tables, handlers, stacks; supervisor only
//   kRegion + page * 4096      by page_use()      what random programs use
//   kMirror                    code pages, but 1      behind page 0 there is another one than in the region
//   kTop - 0xffffffff          code pages 2, 3    the end of what 32-bit code can address
//   kFar + region and top      one page           where 32-bit code would be if it did not wrap; also below 2^64
//
// All of the region is mapped by one page table, kRegionTable, which the region itself also shows (kTablePage).
#pragma once

#include <array>

#include "base/integers.h"

namespace pollux::test::translation {

inline constexpr u64 kMemoryBytes = 1 << 20;

// Physical pages of the system.
inline constexpr u64 kPml4 = 0x1000, kPdpt = 0x2000, kPd = 0x3000, kLowTable = 0x4000, kRegionTable = 0x5000,
                     kDefaults = 0x6000, kTopPd = 0x7000, kGdt = 0x8000, kIdt = 0x8800, kTopTable = 0x9000,
                     kTss = 0xa000, kCounters = 0xa800, kHandlers = 0xb000, kStacks = 0xc000, kStackTop = 0xd000, kNmiStackTop = 0xc400,
                     kSyscallStackTop = 0xc800, kFarPd = 0xe000, kFarTable = 0xf000;

inline constexpr u64 kRegion = 0x40'0000, kRegionPages = 24;
constexpr u64 page_at(unsigned page) { return kRegion + page * 4096u; }

// Code pages again, but for page 1, which is kOtherCodePage.
inline constexpr u64 kMirror = kRegion + 32 * 4096;

// Pages of the region.
inline constexpr unsigned kCodePages = 4;                       // 0-3
inline constexpr unsigned kAliasPage = 4;                       // 4, 5: code pages 0 and 1 again
inline constexpr unsigned kDataPage = 8;                        // 8, 9, 11, 14: read and write
inline constexpr unsigned kUnmappedPage = 10, kReadOnlyPage = 12, kSupervisorPage = 13, kDevicePage = 15;
inline constexpr unsigned kStackPage = 17;                      // 17, 18; the pages around them are not mapped
inline constexpr unsigned kTablePage = 20;                      // kRegionTable
inline constexpr unsigned kOtherCodePage = 21;                  // other contents for code page 1
inline constexpr u64 kDevice = 0xf000'0000;

inline constexpr u64 kCode = page_at(0), kData = page_at(kDataPage), kStack = page_at(kStackPage + 2) - 64;

inline constexpr u64 kTop = 0xffff'e000, kFar = u64{1} << 32;
inline constexpr unsigned kTopCodePage = 2;                     // that appears there, and the next one

// Selectors of user programs.
inline constexpr u16 kUserData = 0x1b, kUserCode64 = 0x23, kUserCode32 = 0x33, kUserReadOnly = 0x3b, kUserShort = 0x43,
                     kUserBased = 0x4b, kUserDown = 0x53;

inline constexpr u64 kPresent = 1, kWrite = 2, kUser = 4;

struct PageUse {
  u64 physical;
  u64 rights;
};
// By page of the region: the entry at the start, and what the fault handler puts there.
constexpr PageUse page_use(unsigned page) {
  constexpr u64 kAll = kPresent | kWrite | kUser;
  switch (page) {
    case 0: case 1: case 2: case 3: return {0x20000 + page * 4096u, kAll};
    case 4: case 5: return {0x20000 + (page - kAliasPage) * 4096u, kAll};
    case kUnmappedPage: return {0x32000, 0};
    case kReadOnlyPage: return {0x34000, kPresent | kUser};
    case kSupervisorPage: return {0x35000, kPresent | kWrite};
    case kDevicePage: return {kDevice, kAll};
    case 16: case 19: return {0x36000, 0};
    case 17: case 18: return {0x38000 + (page - kStackPage) * 4096u, kAll};
    case kTablePage: return {kRegionTable, kAll};
    case kOtherCodePage: return {0x24000, kAll};
    case 6: case 7: case 22: case 23: return {0x3a000, 0};
    default: return {0x28000 + page * 4096u, kAll};  // data: 0x30000 and up
  }
}

// How many faults; and for each byte of the code pages, how long the instruction is that begins there.
inline constexpr u64 kFaultCount = kCounters, kLengths = 0x14000;

inline constexpr u8 kInterruptVector = 0x40, kEndVector = 0x41;

}  // namespace pollux::test::translation
