#include "cpu/translate/thunks.h"

namespace pollux::cpu::translate {

namespace {

// System V calling convention.
constexpr Reg kFirstArgument = 7, kSecondArgument = 6, kThirdArgument = 2;
constexpr std::array<Reg, 6> kPreserved = {3, 5, 12, 13, 14, 15};
constexpr std::array<Reg, 9> kVolatile = {0, 1, 2, 6, 7, 8, 9, 10, 11};

constexpr Opcode kPush{.code = 0x50}, kPop{.code = 0x58};
constexpr Opcode kLoadXmm{.code = 0x28, .map = 1}, kStoreXmm{.code = 0x29, .map = 1};  // movaps

Address at(Reg base, u64 offset) { return {base, i32(offset)}; }

void registers(Assembler& a, const Layout& layout, bool load) {
  for (unsigned n = 0; n < 16; ++n) {
    a.op(load ? kLoadXmm : kStoreXmm, n, Address{kFrameReg, layout.xmm + i32(n) * 16});
  }
  for (unsigned n = 0; n < 16; ++n) {
    if (kHostOf[n] == kInMemory) continue;
    const Address guest{kFrameReg, layout.gpr + i32(n) * 8};
    if (load) a.load(kHostOf[n], guest); else a.store(guest, kHostOf[n]);
  }
}

}  // namespace

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout) {
  Thunks t;
  // Two functions of one call: the frame's address lies on top of the host's stack meanwhile.
  t.enter = reinterpret_cast<decltype(t.enter)>(a.at() + executable);
  for (const Reg r : kPreserved) a.op_short(kPush, r);
  a.op_short(kPush, kFirstArgument);
  a.store(at(kFirstArgument, offsetof(Frame, host_rsp)), kRspReg);
  a.store(at(kFirstArgument, offsetof(Frame, value)), kSecondArgument);
  a.mov(kFrameReg, kFirstArgument);
  registers(a, layout, true);
  a.jump(at(kFrameReg, offsetof(Frame, value)));

  t.leave = a.at();
  registers(a, layout, false);
  a.mov32(kRaxReg, kAddressReg);
  a.load(kRspReg, at(kFrameReg, offsetof(Frame, host_rsp)));
  a.op_short(kPop, kFirstArgument);
  for (auto r = kPreserved.rbegin(); r != kPreserved.rend(); ++r) a.op_short(kPop, *r);
  a.byte(0xc3);

  t.slow_access = a.at();
  constexpr i32 kReturnAddress = 8;  // pushed below the frame
  const auto saved = [](unsigned n) { return at(kFrameReg, kReturnAddress + offsetof(Frame, saved_registers) + n * 8); };
  const auto saved_xmm = [](unsigned n) { return at(kFrameReg, kReturnAddress + offsetof(Frame, saved_xmm) + n * 16); };
  const auto unaligned = [](bool load) {  // movups: the frame is aligned, the address below it is not
    return Opcode{.code = u8(load ? 0x10 : 0x11), .map = 1};
  };
  for (const Reg r : kVolatile) a.store(saved(r), r);
  for (unsigned n = 0; n < 16; ++n) a.op(unaligned(false), n, saved_xmm(n));
  a.lea(kFirstArgument, at(kFrameReg, kReturnAddress));
  a.mov(kSecondArgument, kAddressReg);
  a.mov32(kThirdArgument, kScratch);
  a.load(kRspReg, at(kFirstArgument, offsetof(Frame, host_rsp)));
  a.op({.code = 0xff}, 2, at(kFirstArgument, offsetof(Frame, fill)));  // call
  a.load(kRspReg, at(kRspReg, 0));
  a.lea(kRspReg, at(kRspReg, u64(-kReturnAddress)));
  a.mov32(kScratch, kRaxReg);
  for (unsigned n = 0; n < 16; ++n) a.op(unaligned(true), n, saved_xmm(n));
  for (const Reg r : kVolatile) a.load(r, saved(r));
  a.byte(0xc3);
  return t;
}

}  // namespace pollux::cpu::translate
