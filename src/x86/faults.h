// Exceptions as values. A Fault is a guest event: it is delivered to the guest, never to the operator.
// Source: Intel SDM vol. 3, 6.3 and 6.15.
#pragma once

#include "base/integers.h"

namespace pollux::x86 {

enum class Exception : u8 {
  kDivide = 0,          // #DE
  kDebug = 1,           // #DB
  kNmi = 2,
  kBreakpoint = 3,      // #BP
  kOverflow = 4,        // #OF
  kBound = 5,           // #BR
  kInvalidOpcode = 6,   // #UD
  kNoMath = 7,          // #NM
  kDoubleFault = 8,     // #DF
  kInvalidTss = 10,     // #TS
  kNotPresent = 11,     // #NP
  kStack = 12,          // #SS
  kProtection = 13,     // #GP
  kPage = 14,           // #PF
  kX87 = 16,            // #MF
  kAlignment = 17,      // #AC
  kSimd = 19,           // #XM
};

struct Fault {
  Exception vector = Exception::kInvalidOpcode;
  u32 error = 0;     // pushed when has_error_code(vector)
  u64 address = 0;   // #PF: goes to CR2. #DB: the DR6 bits to set
};

constexpr bool has_error_code(Exception vector) {
  switch (vector) {
    case Exception::kDoubleFault:
    case Exception::kInvalidTss:
    case Exception::kNotPresent:
    case Exception::kStack:
    case Exception::kProtection:
    case Exception::kPage:
    case Exception::kAlignment:
      return true;
    default:
      return false;
  }
}

// Page fault error code bits (SDM vol. 3, figure 4-12).
enum PageFaultBit : u32 {
  kPfPresent = 1,
  kPfWrite = 2,
  kPfUser = 4,
  kPfReserved = 8,
  kPfFetch = 16,
};

}  // namespace pollux::x86
