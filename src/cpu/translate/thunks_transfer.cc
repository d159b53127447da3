// SYSCALL and SYSRET between 64-bit code, where nothing else is to be looked at: as cpu/interpret/syscall.cc, but that the
// interpreter is not told; it looks at the privilege level when code calls the translator (Interpreter::look_at_view).
// Source: SDM vol. 2.
#include "cpu/interpret/host_flags.h"
#include "cpu/translate/sequences.h"
#include "cpu/translate/thunks.h"
#include "x86/control.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

namespace {

class Transfers {
 public:
  Transfers(Assembler& a, const Layout& layout, const Thunks& thunks) : a_(a), layout_(layout), thunks_(thunks) {}

  const u8* write_call() {
    const u8* const begin = a_.at();
    return_unless_written(offsetof(Frame, system_call));
    Sequences(a_, layout_, kReturnAddress).join_flags(kRcxReg);
    a_.store(guest_in_frame(x86::kR11, kReturnAddress), kScratch);
    a_.load32(kRcxReg, state(layout_.sfmask));
    a_.op({.code = 0xf7}, 2, kRcxReg);         // not
    a_.op({.code = 0x23}, kScratch, kRcxReg);  // and
    set_flags(kRcxReg);
    a_.load32(kScratch, state(layout_.star + 4));
    a_.arithmetic(4, kScratch, 0xfffc, false);
    a_.mov32(kRcxReg, kScratch);
    set_segment(x86::kCs, x86::kFlatCode | x86::kSegLong);
    a_.op({.code = 0x8d}, kScratch, Address{kRcxReg, 8});
    set_segment(x86::kSs, x86::kFlatData);
    a_.mov(kRcxReg, kAddressReg);
    a_.load(kAddressReg, state(layout_.lstar));
    arrive(offsetof(Frame, system_call));
    return begin;
  }

  const u8* write_return() {
    const u8* const begin = a_.at();
    constexpr u32 kUser = 3;
    return_unless_written(offsetof(Frame, system_return));
    a_.arithmetic(7, state(layout_.attention), 0, false);
    return_if(kNz);
    a_.mov(kAddressReg, kRcxReg);
    a_.shift(5, kAddressReg, 47);
    return_if(kNz);
    a_.load32(kScratch, guest_in_frame(x86::kR11, kReturnAddress));
    a_.op({.code = 0xf7}, 0, kScratch), a_.immediate(u32(x86::kTf | x86::kAc), 4);  // test
    return_if(kNz);
    a_.arithmetic(4, kScratch, i32(x86::kSysretFlags), false);
    set_flags(kAddressReg);
    for (const bool code : {true, false}) {
      a_.op({.code = 0xb7, .map = 1}, kScratch, state(layout_.star + 6));  // movzx
      a_.arithmetic(0, kScratch, code ? 16 : 8, false);
      a_.arithmetic(1, kScratch, kUser, false);
      set_segment(code ? x86::kCs : x86::kSs,
                  u16((code ? x86::kFlatCode | x86::kSegLong : x86::kFlatData) | kUser << x86::kPrivilegeShift));
    }
    a_.mov(kAddressReg, kRcxReg);
    arrive(offsetof(Frame, system_return));
    return begin;
  }

 private:
  static Address state(i32 at) { return {kFrameReg, at + kReturnAddress}; }

  void return_if(Condition c) {
    u8* const not_so = a_.jump_if(Condition(c ^ 1));
    a_.byte(0xc3);
    a_.link_here(not_so);
  }
  void return_unless_written(u64 transfer) {
    a_.arithmetic(7, in_frame(transfer + offsetof(Transfer, written), kReturnAddress), 0, false);
    return_if(kZ);
  }

  // kScratch: all of them; other: for use.
  void set_flags(Reg other) {
    a_.arithmetic(1, kScratch, i32(x86::kFixedFlag), false);
    a_.store(state(layout_.rflags), kScratch);
    // As LAHF and SETO give the arithmetic flags.
    a_.mov32(other, kScratch);
    a_.arithmetic(4, other, 0xd5, false);
    a_.shift(4, other, 8, false);
    a_.shift(5, kScratch, 11, false);
    a_.arithmetic(4, kScratch, 1, false);
    a_.op({.code = 0x8d}, other, Address{other, interpret::kHostFixed, kScratch});
    a_.op({.code = 0x89, .prefix66 = true}, other, in_frame(offsetof(Frame, arithmetic), kReturnAddress));
  }

  // kScratch: the selector in its low half, and is lost. Flat.
  void set_segment(unsigned name, u16 attributes) {
    const i32 at = layout_.segment + i32(name * sizeof(x86::Segment));
    a_.op({.code = 0xb7, .map = 1}, kScratch, kScratch);  // movzx
    a_.arithmetic(1, kScratch, i32(u32(attributes) << 16), false);
    static_assert(offsetof(x86::Segment, attributes) == 2);
    a_.store32(state(at), kScratch);
    a_.op({.code = 0xc7}, 0, state(at + i32(offsetof(x86::Segment, limit)))), a_.immediate(~u32{0}, 4);
    a_.op({.code = 0xc7, .wide = true}, 0, state(at + i32(offsetof(x86::Segment, base)))), a_.immediate(0, 4);
  }

  // At the address in kAddressReg, in the transfer's context.
  void arrive(u64 transfer) {
    a_.lea(kRspReg, {kRspReg, kReturnAddress});
    a_.load32(kScratch, in_frame(transfer + offsetof(Transfer, salt)));
    a_.store32(in_frame(offsetof(Frame, salt)), kScratch);
    a_.load32(kScratch, in_frame(transfer + offsetof(Transfer, epoch)));
    a_.store32(in_frame(offsetof(Frame, epoch)), kScratch);
    u8* const miss = Sequences(a_, layout_, 0).find_jump();
    Sequences(a_, layout_, 0).take_jump();
    a_.link_here(miss);
    a_.call(thunks_.out);
    write_exit(a_, {.kind = ExitKind::kArrived});
  }

  Assembler& a_;
  const Layout& layout_;
  const Thunks& thunks_;
};

}  // namespace

void write_transfers(Assembler& a, const Layout& layout, Thunks& t) {
  Transfers transfers(a, layout, t);
  t.system_call = transfers.write_call();
  t.system_return = transfers.write_return();
}

}  // namespace pollux::cpu::translate
