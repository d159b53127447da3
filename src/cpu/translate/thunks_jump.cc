// What short traces of 64-bit code call for their jumps and calls to other pages, their returns, and what a call
// pushes: less code than to contain them. Behind the call is a CallerWord, and where the target is known its distance
// from the trace's page. What misses the translator serves, and then all begins anew, for nothing has changed yet.
#include "cpu/translate/sequences.h"
#include "cpu/translate/thunks.h"

namespace pollux::cpu::translate {

namespace {

constexpr u8 kRet = 0xc3;

class Jumps {
 public:
  Jumps(Assembler& a, const Layout& layout, const Thunks& thunks, mmu::View view = {})
      : a_(a), layout_(layout), thunks_(thunks), view_(unsigned(view)) {}

  const u8* write_jump(bool gives_back) {
    const u8* const begin = a_.at();
    load_target();
    u8* const missed = find_jump();
    if (gives_back) {
      pieces().keep_jump();
      load_word(kScratch);
      a_.arithmetic(4, kScratch, CallerWord::kMostBack, false);
      a_.op({.code = 0x8d}, kScratch, Address{kScratch, -1});                         // lea: but the branch itself
      a_.op({.code = 0x01, .wide = true}, kScratch, frame(offsetof(Frame, budget)));  // add
      leave();
      a_.jump(thunks_.take_kept_jump);
    } else {
      leave();
      a_.jump(thunks_.take_jump);
    }
    serve_missed(missed, begin);
    return begin;
  }

  // stack: kAddressReg is the host address that is pushed to.
  const u8* write_call(bool stack) {
    const u8* const begin = a_.at();
    if (stack) a_.store(frame(offsetof(Frame, value)), kAddressReg);
    const u8* const again = a_.at();
    load_target();
    u8* const missed = find_jump();
    pieces().keep_jump();
    u8* miss = nullptr;
    if (stack)
      a_.load(kAddressReg, frame(offsetof(Frame, value)));
    else
      miss = look_up_stack(true);
    push_return();
    leave();
    a_.jump(thunks_.take_kept_jump);
    serve_missed(missed, again);
    if (miss) serve_access(miss, true, again);
    return begin;
  }

  const u8* write_push_return() {
    const u8* const begin = a_.at();
    u8* const miss = look_up_stack(true);
    push_return();
    a_.byte(kRet);
    serve_access(miss, true, begin);
    return begin;
  }

  // target: it is in kAddressReg.
  const u8* write_return(bool target) {
    const u8* const begin = a_.at();
    u8* miss = nullptr;
    if (!target) {
      miss = look_up_stack(false);
      a_.load(kAddressReg, Address{kAddressReg, 0});
    }
    u8* const missed = find_jump();
    a_.lea(kGuestRsp, {kGuestRsp, kWord});
    leave();
    a_.jump(thunks_.take_jump);
    serve_missed(missed, begin);
    if (miss) serve_access(miss, false, begin);
    return begin;
  }

 private:
  static constexpr i32 kWord = 8;
  static constexpr i32 kCallerWordAt = kWordOpcode, kTargetAt = kCallerWordAt + i32(sizeof(CallerWord)) + kWordOpcode;

  Sequences pieces() { return {a_, layout_, kReturnAddress}; }
  Address frame(u64 member) const { return in_frame(member, kReturnAddress); }
  void leave() { a_.lea(kRspReg, {kRspReg, kReturnAddress}); }
  void load_word(Reg to) {
    a_.load(to, Address{kRspReg, 0});
    a_.load32(to, Address{to, kCallerWordAt});
  }
  void load_target() {
    a_.load(kAddressReg, Address{kRspReg, 0});
    a_.op({.code = 0x63, .wide = true}, kAddressReg, Address{kAddressReg, kTargetAt});  // movsxd
    a_.op({.code = 0x03, .wide = true}, kAddressReg, frame(offsetof(Frame, page)));     // add
  }
  u8* find_jump() { return pieces().find_jump(); }
  u8* look_up_stack(bool write) {
    a_.lea(kAddressReg, {kGuestRsp, write ? -kWord : 0});
    return pieces().look_up(view_, write, kWord, false);
  }
  // kAddressReg: where to.
  void push_return() {
    load_word(kScratch);
    a_.shift(5, kScratch, CallerWord::kOffsetShift, false);
    a_.arithmetic(4, kScratch, CallerWord::kOffsetMask, false);
    a_.op({.code = 0x03, .wide = true}, kScratch, frame(offsetof(Frame, page)));  // add
    a_.lea(kScratch, {kScratch, kCallBytes});
    a_.store(Address{kAddressReg, 0}, kScratch);
    a_.lea(kGuestRsp, {kGuestRsp, -kWord});
  }
  void serve_missed(u8* missed, const u8* again) {
    a_.link_here(missed);
    serve(ExitKind::kMissed, 0, again);
  }
  void serve_access(u8* miss, bool write, const u8* again) {
    a_.link_here(miss);
    serve(ExitKind::kAccess, access_detail(kWord, write, false, false, view_), again);
  }
  void serve(ExitKind kind, u16 detail, const u8* again) {
    u8* const record = call_out(a_, thunks_, kind, detail);
    link_record(record, a_.at());
    push_caller(a_);
    a_.jump(again);
  }

  Assembler& a_;
  const Layout& layout_;
  const Thunks& thunks_;
  const unsigned view_;
};

}  // namespace

void write_jumps(Assembler& a, const Layout& layout, Thunks& t) {
  t.jump_far = Jumps(a, layout, t).write_jump(false);
  t.branch_far = Jumps(a, layout, t).write_jump(true);
  t.call_far_on = Jumps(a, layout, t).write_call(true);
  t.return_to = Jumps(a, layout, t).write_return(true);
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    Jumps jumps(a, layout, t, mmu::View(view));
    t.call_far[view] = jumps.write_call(false);
    t.push_return[view] = jumps.write_push_return();
    t.return_far[view] = jumps.write_return(false);
  }
}

}  // namespace pollux::cpu::translate
