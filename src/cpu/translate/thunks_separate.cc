// From a group whose range crosses a page to the separate translation, where a jump entry is known for it and the flags
// are in memory.
#include "cpu/translate/sequences.h"
#include "cpu/translate/thunks.h"

namespace pollux::cpu::translate {

namespace {

class Separate {
 public:
  // below: how far rsp is below where it is otherwise; on top of it is the return address, or below that the one of who
  // says.
  Separate(Assembler& a, const Layout& layout, i32 below) : a_(a), layout_(layout), below_(below) {}

  // Behind the call is a record.
  void write_recorded(const u8* out, bool elsewhere) {
    a_.load(kAddressReg, Address{kRspReg, 0});
    a_.op(kMovzxWord, kScratch, Address{kAddressReg, offsetof(Record, flags_from)});
    check_flags(Record::kNone, Record::kPending);
    if (elsewhere) a_.op({.code = 0x63, .wide = true}, kScratch, Address{kAddressReg, sizeof(Record)});  // movsxd
    a_.op(kMovzxWord, kAddressReg, Address{kAddressReg, offsetof(Record, offset)});
    if (elsewhere) a_.op({.code = 0x03, .wide = true}, kAddressReg, kScratch);  // add
    find(JumpKind::kSeparate);
    a_.load(kAddressReg, Address{kRspReg, 0});
    a_.op({.code = 0xb6, .map = 1}, kAddressReg, Address{kAddressReg, offsetof(Record, give_back)});  // movzx
    take();
    link_failures();
    a_.jump(out);
  }

  // Called by what has a CallerWord behind its call. Comes back with both registers as they were.
  void write_said() {
    a_.store(frame(offsetof(Frame, address)), kAddressReg);
    a_.store(frame(offsetof(Frame, scratch)), kScratch);
    load_word();
    a_.mov32(kScratch, kAddressReg);
    a_.shift(5, kScratch, CallerWord::kFlagsShift, false);
    constexpr u32 kGroup = CallerWord::kFlagsMask + 1;
    check_flags(kGroup | CallerWord::kNone, kGroup | CallerWord::kPending);
    a_.shift(5, kAddressReg, CallerWord::kOffsetShift, false);
    a_.arithmetic(4, kAddressReg, CallerWord::kOffsetMask, false);
    find(JumpKind::kOfShort);
    load_word();
    a_.arithmetic(4, kAddressReg, CallerWord::kMostBack, false);
    take();
    link_failures();
    a_.load(kAddressReg, frame(offsetof(Frame, address)));
    a_.load(kScratch, frame(offsetof(Frame, scratch)));
    a_.byte(0xc3);
  }

 private:
  static constexpr Opcode kMovzxWord{.code = 0xb7, .map = 1};  // movzx

  Address frame(u64 member) const { return in_frame(member, below_); }
  void load_word() {
    a_.load(kAddressReg, Address{kRspReg, kReturnAddress});
    a_.load32(kAddressReg, Address{kAddressReg, kWordOpcode});
  }
  void fail(Condition c) { failed_[failed_count_++] = a_.jump_if(c); }

  // kScratch: where they come from.
  void check_flags(u32 none, u32 pending) {
    a_.arithmetic(7, kScratch, i32(none), false);
    u8* const known = a_.jump_if(kZ);
    a_.arithmetic(7, kScratch, i32(pending), false);
    fail(kNz);
    a_.op({.code = 0x83, .prefix66 = true}, 7, frame(offsetof(Frame, pending)));  // cmp
    a_.immediate(Record::kNone, 1);
    fail(kNz);
    a_.link_here(known);
  }
  // kAddressReg: the offset.
  void find(JumpKind kind) {
    a_.op({.code = 0x03, .wide = true}, kAddressReg, frame(offsetof(Frame, page)));
    failed_[failed_count_++] = Sequences(a_, layout_, below_).find_jump(false, kind);
    a_.store(frame(offsetof(Frame, target)), kAddressReg);
  }
  // kAddressReg: instructions that are counted and were not executed.
  void take() {
    a_.op({.code = 0x01, .wide = true}, kAddressReg, frame(offsetof(Frame, budget)));  // add
    a_.lea(kRspReg, {kRspReg, below_});
    a_.load(kAddressReg, in_frame(offsetof(Frame, target)));
    Sequences(a_, layout_, 0).take_jump();
  }
  void link_failures() {
    for (unsigned n = 0; n < failed_count_; ++n) a_.link_here(failed_[n]);
  }

  Assembler& a_;
  const Layout& layout_;
  const i32 below_;
  std::array<u8*, 3> failed_{};
  unsigned failed_count_ = 0;
};

}  // namespace

void write_separates(Assembler& a, const Layout& layout, Thunks& t) {
  t.crosses = a.at();
  Separate(a, layout, kReturnAddress).write_recorded(t.out, false);
  t.crosses_elsewhere = a.at();
  Separate(a, layout, kReturnAddress).write_recorded(t.out, true);
  t.crosses_said = a.at();
  Separate(a, layout, 2 * kReturnAddress).write_said();
}

}  // namespace pollux::cpu::translate
