// How translated code calls the translator. Each place where it may do so calls one thunk (Thunks::out); the record
// behind the call says why, and the translator answers with the code that goes on.
#pragma once

#include <limits>

#include "base/integers.h"
#include "cpu/translate/assembler.h"

namespace pollux::cpu::translate {

enum class ExitKind : u8 {
  kAccess,     // the table has no entry: fill it and look again, or let the interpreter execute the instruction
  kCrosses,    // the range of a group crosses a page, or may be read where it is to be written: goes on in the separate
               // translation, to which it may be linked
  kMissed,     // the jump entries have no such jump: likewise
  kFar,        // a link to another page, to the address in kAddressReg, was made in another epoch
  kArrived,    // at the address in kAddressReg, of which the jump entries know nothing
  kInterpret,  // the interpreter is to execute the instruction at offset
  kLent,       // the interpreter is to execute this one instruction, behind which the trace goes on
  kBudget,     // the run may end within the trace; goes on at offset. If a budget is left, the trace is hot: it has run
               // often enough to be made again, longer
  kLink,       // goes on at offset in the same page; the jump may be linked to what is found there
};

// kAccess: what Exit::detail says beside the size in bytes.
inline constexpr u16 kSizeMask = 0x1ff, kWriteAccess = 1 << 9, kAlignedAccess = 1 << 10, kGroupAccess = 1 << 11;
inline constexpr unsigned kViewShift = 12;
inline constexpr u16 kApartAccess = 1 << 14;  // what finds the operand is not its host address alone
inline constexpr u16 kPaddedAccess = 1 << 15;  // misses by way of a pad
inline constexpr u16 access_detail(unsigned size, bool write, bool aligned, bool group, unsigned view,
                                   bool apart = false, bool padded = false) {
  return u16(size | (write ? kWriteAccess : 0) | (aligned ? kAlignedAccess : 0) | (group ? kGroupAccess : 0) |
             view << kViewShift | (apart ? kApartAccess : 0) | (padded ? kPaddedAccess : 0));
}
inline constexpr unsigned view_of_access(u16 detail) { return detail >> kViewShift & 3; }
// kMissed and kFar: it is of a link to another page, which says FarWords.
inline constexpr u16 kFromLink = 1;
// kBudget: detail is the offset where the trace begins; to is not 0: code behind the record goes on at offset.
inline constexpr i32 kHasRest = 1;
// kLent: the trace goes on behind the instruction.
inline constexpr u16 kGoesOn = 1;
// kLink: the jump leaves the guest's flags in the host's; with flags_from, and for kCrosses: the registers that they
// follow from, as they still are. kCrosses: 0 if there are none.
inline constexpr u16 kHostFlags = 1;

// Exit::give_back of a thunk's record: the code that called the thunk says it, and offset and flags_from, in a word
// behind the call.
inline constexpr u8 kSaidByCaller = 0xff;

// Bytes at a short trace's memory_entry that become a jump to the long one.
inline constexpr unsigned kLeap = 5;

struct Exit {
  // No distances:
  static constexpr i32 kNone = std::numeric_limits<i32>::min();
  static constexpr i32 kPending = kNone + 1;  // as when the trace was entered: in memory, or Frame::pending says it

  ExitKind kind = ExitKind::kInterpret;
  u8 give_back = 0;  // instructions that the trace counted and has not executed
  u16 detail = 0;
  i32 offset = 0;          // from the start of the page where the trace begins
  i32 flags_from = kNone;  // likewise, of the instruction that makes the flags again; kNone: they are in memory
  i32 to = 0;              // from the record: kAccess, kMissed: where code goes on; kLink: the displacement,
                           // or 0: the jump's code takes the record's place, and the call's before it, as in kCrosses.
                           // kLent: the number of the instruction

  // In another page than the trace begins in.
  bool is_elsewhere() const;
  unsigned bytes() const;  // of its record
};

// Its bytes behind the call.
struct Record {
  static constexpr u16 kNone = 0xffff, kPending = kNone - 1;  // Exit's
  static constexpr u8 kElsewhere = 0x80;  // in kind: both offsets are from the start of another page, whose distance
                                          // from the first one, an i32, follows
  u8 kind = 0;
  u8 give_back = 0;
  u16 offset = 0;
  u16 flags_from = kNone;
  u16 detail = 0;
  i32 to = 0;
};
static_assert(sizeof(Record) == 12);
void write_exit(Assembler& a, const Exit& e);
Exit read_exit(const u8* record);

// Exit::flags_from in fewer bits, of which none is the highest value, and pending the one below. page: the offset's.
u32 narrow_flags(i32 flags_from, u32 none, i32 page = 0);
i32 widen_flags(u32 narrow, u32 none, i32 page = 0);

// What a caller says, whose trace does not leave its page.
struct CallerWord {
  static constexpr unsigned kMostBack = 31;
  static constexpr u32 kFlagsMask = (1 << 13) - 1;
  static constexpr u32 kNone = kFlagsMask, kPending = kNone - 1;  // Exit's
  static constexpr u8 kOffsetShift = 5, kFlagsShift = 18;
  static constexpr u32 kOffsetMask = (1 << 13) - 1;
  static_assert(kMostBack == (1 << kOffsetShift) - 1 && kOffsetMask == (1 << (kFlagsShift - kOffsetShift)) - 1);

  u32 give_back : 5;
  u32 offset : 13;
  u32 flags_from : 13;  // kBudget, and repeats: where the trace begins
  u32 group : 1;        // kGroupAccess; kBudget: repeats
};
static_assert(sizeof(CallerWord) == 4);

// What a link to another page says, in words likewise. The link begins with
// `cmp dword [rsp + Frame::epoch], epoch`; 0 is no epoch.
struct FarWords {
  i32 offset = 0;
  i32 place = 0;  // of the link, from behind the call
  u16 jump = 0;   // the displacement of its jump, from there; 0: it is in a trace that goes on in the other page
  u16 give_back = 0;
  u32 page = 0;  // which one, by its physical number; only there
};
// A word behind a call is the operand of a TEST with EAX: what is called loses the flags anyway.
inline constexpr unsigned kWordOpcode = 1;  // bytes
inline constexpr unsigned kEpochInLink = 4;

}  // namespace pollux::cpu::translate
