#include "cpu/translate/thunks.h"

namespace pollux::cpu::translate {

namespace {

// System V calling convention.
constexpr Reg kFirstArgument = 7, kSecondArgument = 6;
constexpr std::array<Reg, 6> kPreserved = {3, 5, 12, 13, 14, 15};

constexpr Opcode kPush{.code = 0x50}, kPop{.code = 0x58};
constexpr Opcode kLoadXmm{.code = 0x28, .map = 1}, kStoreXmm{.code = 0x29, .map = 1};  // movaps

Address at(Reg base, u64 offset) { return {base, i32(offset)}; }

// below: how far under the frame rsp is.
void registers(Assembler& a, const Layout& layout, bool load, i32 below) {
  for (unsigned n = 0; n < 16; ++n) {
    a.op(load ? kLoadXmm : kStoreXmm, n, Address{kFrameReg, layout.xmm + below + i32(n) * 16});
  }
  for (unsigned n = 0; n < 16; ++n) {
    if (kHostOf[n] == kInMemory) continue;
    const Address guest{kFrameReg, layout.gpr + below + i32(n) * 8};
    if (load) a.load(kHostOf[n], guest); else a.store(guest, kHostOf[n]);
  }
}

}  // namespace

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout) {
  Thunks t;
  // A function: the frame's address lies on top of the host's stack meanwhile.
  t.enter = reinterpret_cast<decltype(t.enter)>(a.at() + executable);
  for (const Reg r : kPreserved) a.op_short(kPush, r);
  a.op_short(kPush, kFirstArgument);
  a.store(at(kFirstArgument, offsetof(Frame, host_rsp)), kRspReg);
  a.mov(kFrameReg, kFirstArgument);
  a.mov(kRaxReg, kSecondArgument);
  const u8* const go_on = a.at();
  a.store(at(kFrameReg, offsetof(Frame, next)), kRaxReg);
  registers(a, layout, true, 0);
  a.load(kAddressReg, at(kFrameReg, offsetof(Frame, address)));
  a.load(kScratch, at(kFrameReg, offsetof(Frame, scratch)));
  a.jump(at(kFrameReg, offsetof(Frame, next)));

  t.out = a.at();
  constexpr i32 kReturnAddress = 8;  // pushed below the frame
  registers(a, layout, false, kReturnAddress);
  a.load(kSecondArgument, at(kRspReg, 0));
  a.lea(kFirstArgument, at(kRspReg, kReturnAddress));
  a.store(at(kFirstArgument, offsetof(Frame, address)), kAddressReg);
  a.store(at(kFirstArgument, offsetof(Frame, scratch)), kScratch);
  a.load(kRspReg, at(kFirstArgument, offsetof(Frame, host_rsp)));
  a.op({.code = 0xff}, 2, at(kFirstArgument, offsetof(Frame, serve)));  // call
  a.op({.code = 0x85, .wide = true}, kRaxReg, kRaxReg);
  u8* const ended = a.jump_if(kZ);
  a.load(kRspReg, at(kRspReg, 0));
  a.jump(go_on);
  a.link_here(ended);
  a.op_short(kPop, kFirstArgument);
  for (auto r = kPreserved.rbegin(); r != kPreserved.rend(); ++r) a.op_short(kPop, *r);
  a.byte(0xc3);
  return t;
}

}  // namespace pollux::cpu::translate
