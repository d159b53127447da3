// Pieces that translated code contains where it is hot, and calls as thunks where it is not.
#pragma once

#include <array>

#include "cpu/translate/assembler.h"
#include "cpu/translate/flag_effect.h"
#include "cpu/translate/frame.h"

namespace pollux::cpu::translate {

// Writes pieces into code that runs with rsp so far below where it is otherwise.
class Sequences {
 public:
  Sequences(Assembler& a, const Layout& layout, i32 below) : a_(a), layout_(layout), below_(below) {}

  // What a look-up gives.
  enum class Gives : u8 {
    kHost,      // kAddressReg: the host address
    kSum,       // of kAddressReg and kScratch: likewise
    kDistance,  // kScratch: of the host address from the linear one; a cycle earlier
  };
  // Of the linear address in kAddressReg. The flags and, of both registers, what is not given are lost. Returns the
  // jump of a miss, which finds the address less the entry's tag, and the entry's index in kScratch.
  u8* look_up(unsigned view, bool write, unsigned size, bool aligned, Gives gives = Gives::kHost);
  static i64 look_up_bytes(const Layout& layout, unsigned view, bool write) {
    constexpr int kSavedByGs = 3;
    return (layout.has_bmi ? 34 : 43) - (is_in_gs(layout, layout.tlb[view].tags[write]) ? kSavedByGs : 0);
  }

  // Behind the miss of a look-up to write: to where it may be read, if the tables say so. Otherwise all is as before.
  u8* jump_if_readable(unsigned view);

  // kAddressReg: linear; then kScratch: the jump entry's place. Returns the jump of a miss.
  // to_pad: a pad follows soon.
  u8* find_jump(bool to_pad = false, JumpKind kind = JumpKind::kJump);
  // With both registers so.
  void take_jump();
  // They are lost in between.
  void keep_jump();
  void restore_jump();

  // ax becomes what memory holds of the flags: LAHF's byte above, OF below (interpret/host_flags.h).
  void take_flags(Repair repair);
  void save_flags(Repair repair);
  // kScratch becomes RFLAGS without RF and VM, from its two parts: the arithmetic flags in memory, and the rest. other: is
  // lost, as are the flags.
  void join_flags(Reg other);

 private:
  Address entry(i32 table) const;  // of the TLB, whose index is in kScratch
  static bool is_in_gs(const Layout& layout, i32 table) { return layout.in_gs && table == layout.in_gs; }
  // kScratch: the low half of kAddressReg, shifted; what is shifted out may come back at the other end.
  void shifted_address(i8 right);
  // kScratch: that of kAddressReg.
  void tlb_index();
  Address frame(u64 member) const { return in_frame(member, below_); }
  // A member of the jump entry that kScratch points to.
  Address found_jump(u64 member) const {
    Address found = frame(offsetof(Frame, jumps) + member);
    found.index = kScratch;
    return found;
  }

  Assembler& a_;
  const Layout& layout_;
  const i32 below_;
};

}  // namespace pollux::cpu::translate
