// Model-specific register numbers of the processor model. Source: Intel SDM vol. 4; AMD APM vol. 2 for EFER, STAR.
// docs/determinism.md lists what each does here; all others raise #GP.
#pragma once

#include "base/integers.h"

namespace pollux::x86 {

enum Msr : u32 {
  kMsrTsc = 0x10,
  kMsrPlatformId = 0x17,
  kMsrApicBase = 0x1b,
  kMsrFeatureControl = 0x3a,
  kMsrTscAdjust = 0x3b,
  kMsrSpecCtrl = 0x48,
  kMsrPredCmd = 0x49,
  kMsrBiosSign = 0x8b,
  kMsrPlatformInfo = 0xce,
  kMsrMtrrCap = 0xfe,
  kMsrSysenterCs = 0x174,
  kMsrSysenterEsp = 0x175,
  kMsrSysenterEip = 0x176,
  kMsrMcgCap = 0x179,
  kMsrMcgStatus = 0x17a,
  kMsrMiscEnable = 0x1a0,
  kMsrDebugCtl = 0x1d9,
  kMsrMtrrPhysBase0 = 0x200,  // 0x200-0x20f: eight pairs of base and mask
  kMsrMtrrFix64k = 0x250,
  kMsrMtrrFix16k = 0x258,     // 0x258, 0x259
  kMsrMtrrFix4k = 0x268,      // 0x268-0x26f
  kMsrPat = 0x277,
  kMsrMtrrDefType = 0x2ff,
  kMsrTscDeadline = 0x6e0,
  kMsrX2apicFirst = 0x800,
  kMsrX2apicLast = 0x8ff,
  kMsrEfer = 0xc0000080,
  kMsrStar = 0xc0000081,
  kMsrLstar = 0xc0000082,
  kMsrCstar = 0xc0000083,
  kMsrSfmask = 0xc0000084,
  kMsrFsBase = 0xc0000100,
  kMsrGsBase = 0xc0000101,
  kMsrKernelGsBase = 0xc0000102,
  kMsrTscAux = 0xc0000103,
};

}  // namespace pollux::x86
