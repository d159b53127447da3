// REP STOS and REP MOVS: one instruction of the host's on what lies in one page, where nothing can happen in between.
// The count is at least 1; all but the last iteration are counted here, the last one was by the trace.
#include "cpu/translate/sequences.h"
#include "cpu/translate/thunks.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

namespace {

constexpr Reg kCount = kRcxReg, kFrom = 6, kTo = 7;

class Repeat {
 public:
  Repeat(Assembler& a, const Layout& layout, unsigned view, u8 size) : a_(a), layout_(layout), view_(view), size_(size) {}

  const u8* write(bool move) {
    const u8* const begin = a_.at();
    check_count();
    if (move) {
      host_end(kFrom, false);
      a_.store(frame(offsetof(Frame, value)), kAddressReg);
    }
    host_end(kTo, true);
    // The guest's registers as they will be.
    if (move) {
      a_.lea(kScratch, {kFrom, 0, kCount, size_});
      a_.store(frame(offsetof(Frame, target)), kScratch);
    }
    a_.lea(kScratch, {kTo, 0, kCount, size_});
    negate_count();
    a_.lea(kTo, {kAddressReg, 0, kCount, size_});
    if (move) {
      a_.load(kAddressReg, frame(offsetof(Frame, value)));
      a_.lea(kFrom, {kAddressReg, 0, kCount, size_});
    }
    negate_count();
    a_.lea(kAddressReg, {kCount, -1});
    a_.op({.code = 0x29, .wide = true}, kAddressReg, frame(offsetof(Frame, budget)));  // sub
    a_.op_plain({.code = u8(size_ ? (move ? 0xa5 : 0xab) : (move ? 0xa4 : 0xaa)),
                 .wide = size_ == 3,
                 .prefix66 = size_ == 1,
                 .repeat = 0xf3});
    a_.mov(kTo, kScratch);
    if (move) a_.load(kFrom, frame(offsetof(Frame, target)));
    a_.op({.code = 0x39}, kRaxReg, kRaxReg);  // cmp
    a_.byte(0xc3);
    for (unsigned n = 0; n < failed_count_; ++n) a_.link_here(failed_[n]);
    a_.op({.code = 0x85, .wide = true}, kRspReg, kRspReg);  // test
    a_.byte(0xc3);
    return begin;
  }

 private:
  static Address frame(u64 member) { return in_frame(member, kReturnAddress); }
  void fail_at(u8* jump) { failed_[failed_count_++] = jump; }
  void fail(Condition c) { fail_at(a_.jump_if(c)); }

  void check_count() {
    a_.lea(kScratch, {kCount, -1});
    a_.arithmetic(7, kScratch, i32(memory::kPageSize >> size_));
    fail(kNb);
    a_.op({.code = 0x3b, .wide = true}, kScratch, frame(offsetof(Frame, budget)));
    fail(kNle);
    a_.op({.code = 0xf7}, 0, Address{kFrameReg, layout_.rflags + kReturnAddress});  // test
    a_.immediate(u32(x86::kDf), 4);
    fail(kNz);
  }

  // kAddressReg: behind the last byte in host memory.
  void host_end(Reg guest, bool write) {
    a_.mov(kAddressReg, guest);
    fail_at(Sequences(a_, layout_, kReturnAddress).look_up(view_, write, 1, false));
    // What remains of the page, less what is wanted, is not negative.
    a_.mov32(kScratch, kAddressReg);
    a_.arithmetic(4, kScratch, i32(memory::kPageMask), false);
    a_.lea(kScratch, {kScratch, 0, kCount, size_});
    a_.arithmetic(7, kScratch, i32(memory::kPageSize));
    fail(kNbe);
    a_.lea(kAddressReg, {kAddressReg, 0, kCount, size_});
  }
  void negate_count() { a_.op({.code = 0xf7, .wide = true}, 3, kCount); }

  Assembler& a_;
  const Layout& layout_;
  const unsigned view_;
  const u8 size_;  // log2
  std::array<u8*, 8> failed_{};
  unsigned failed_count_ = 0;
};

}  // namespace

void write_repeats(Assembler& a, const Layout& layout, Thunks& t) {
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    for (u8 size = 0; size < 4; ++size) {
      for (const bool move : {false, true}) t.repeat[view][move][size] = Repeat(a, layout, view, size).write(move);
    }
  }
}

}  // namespace pollux::cpu::translate
