// Which memory accesses of a trace share one look-up of the TLB.
//
// Accesses through the same registers (a frame, a structure, a stack, a stream in an unrolled loop) lie close together.
// The first of such a group looks up the whole range that the group touches and keeps the host's address; the others
// go there without a look-up, without touching flags and without a possible exit. When the range crosses a page, the
// trace goes on as a separate translation without groups.
//
// Sound because between lent instructions only the filling of a table can change what the TLB says, and it leaves the
// trace when it takes rights away (Translator::fill_table); no group reaches over a lent instruction. A read may use
// the look-up of a write before it. In long traces a read looks for a page that may be written, where its group writes
// later; where the page may only be read, the trace goes on as that separate translation.
#pragma once

#include <span>

#include "base/integers.h"

namespace pollux::cpu::translate {

struct Step;

struct Access {
  enum class Kind : u8 { kAlone, kFirst, kMember };
  Kind kind = Kind::kAlone;
  u8 group = 0;
  bool aligned = false;          // it must be, to 16 bytes
  bool check_alignment = false;  // kFirst, kMember: and is not known to be
  u16 offset = 0;                // from the range's start
  u16 span = 0;                  // kFirst: the range's bytes
  bool write = false;            // kFirst: the group writes
};

inline constexpr unsigned kGroups = 8;         // of a trace, at most
inline constexpr unsigned kMaxSpan = 256;

// word: bytes of the code's addresses, 8 or 4. Those of 32-bit code count modulo 4 GiB, where a page ends, so a range
// that wraps crosses pages. Its accesses through FS and GS share nothing: they have limits to be looked at.
// reads_for_writes: a read may look up for a write behind it.
void plan_accesses(std::span<Step> steps, unsigned word, bool reads_for_writes);

}  // namespace pollux::cpu::translate
