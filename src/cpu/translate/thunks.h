// The code around translations: into them, from them to the translator and back, and what short traces call instead of
// containing it.
#pragma once

#include <array>
#include <bit>

#include "cpu/translate/assembler.h"
#include "cpu/translate/frame.h"

namespace pollux::cpu::translate {

struct Thunks {
  // Runs code until an exit ends the run. An executable address, like code.
  void (*enter)(Frame*, const u8* code) = nullptr;

  // All others are written to as the code region is.

  // Called, with a record behind the call. The guest's registers go to the state and come back from there; the flags
  // are not kept.
  const u8* out = nullptr;
  // The same, but the guest's flags are in the host's and go to memory.
  const u8* out_with_flags = nullptr;

  // Sequences (sequences.h) that are called, with a CallerWord behind the call; what is not found is the translator's.
  // For sizes up to a power of two.
  static constexpr unsigned kSizes = std::bit_width(kMaxSpan);
  static unsigned size_class(unsigned size) { return unsigned(std::bit_width(size - 1)); }
  using LookUps = std::array<std::array<std::array<const u8*, kSizes>, 2>, mmu::kViews>;  // [view][is a write][class]
  LookUps look_up{};
  std::array<std::array<const u8*, 2>, mmu::kViews> look_up_aligned{};  // of 16 bytes
  const u8* find_jump = nullptr;                                        // and keeps what it finds
  const u8* find_far = nullptr;                                         // likewise, for a link, with FarWords

  // Called, with a CallerWord behind the call; those that look up the stack want one of a group, for then what a
  // look-up cannot give is not done behind the call. They do what the instruction does and go where it leads. Behind
  // that is the distance of the target from the trace's page:
  const u8* jump_far = nullptr;
  const u8* branch_far = nullptr;                 // from a branch: gives back the instructions behind it
  std::array<const u8*, mmu::kViews> call_far{};  // CALL of kCallBytes
  const u8* call_far_on = nullptr;                // likewise, where kAddressReg is the host address that is pushed to
  // And without:
  std::array<const u8*, mmu::kViews> return_far{};   // RET
  const u8* return_to = nullptr;                     // likewise, to the address in kAddressReg
  std::array<const u8*, mmu::kViews> push_return{};  // what a CALL of kCallBytes pushes; comes back

  // Called: REP STOS and REP MOVS at once, where they stay within a page and within the budget. ZF says that they did.
  std::array<std::array<std::array<const u8*, 4>, 2>, mmu::kViews> repeat{};  // [view][is MOVS][log2 of the size]

  // Called, with kAddressReg behind the instruction. They come back when the interpreter is to execute it.
  const u8* system_call = nullptr;
  const u8* system_return = nullptr;

  // Called where the range of a group crosses a page: with a record behind the call; or by one of look_up, behind whose
  // call is a CallerWord, and then they may come back.
  const u8* crosses = nullptr;
  const u8* crosses_elsewhere = nullptr;  // with a record that says another page
  const u8* crosses_said = nullptr;

  // Called, with the instructions in kAddressReg that are counted and not executed. rdx, rax: the halves of the
  // time-stamp counter; kAddressReg and the flags are lost.
  const u8* read_counter = nullptr;

  // Called.
  const u8* save_flags = nullptr;
  // Called where a short trace's budget is used up, or it is hot, with a CallerWord behind the call. The flags are in
  // memory, or with the word's flags_from pending.
  const u8* budget = nullptr;
  // Jumped to.
  const u8* take_jump = nullptr;
  const u8* take_kept_jump = nullptr;  // that find_jump or find_far has found
};

inline constexpr i32 kCallBytes = 5;      // of the usual direct CALL
inline constexpr i32 kReturnAddress = 8;  // where rsp is lower, in what is called

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout);
// Some of them.
void write_separates(Assembler& a, const Layout& layout, Thunks& t);
void write_repeats(Assembler& a, const Layout& layout, Thunks& t);
void write_transfers(Assembler& a, const Layout& layout, Thunks& t);
void write_jumps(Assembler& a, const Layout& layout, Thunks& t);

// For thunks whose caller says a CallerWord.
// Behind a miss: has the translator serve it. The return address waits in the frame, so that records are always found
// in the same place. Returns the record, for link_record().
u8* call_out(Assembler& a, const Thunks& t, ExitKind kind, u16 detail);
void link_record(u8* record, const u8* to);
void push_caller(Assembler& a);

}  // namespace pollux::cpu::translate
