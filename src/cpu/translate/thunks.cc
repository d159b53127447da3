#include "cpu/translate/thunks.h"

#include "cpu/translate/sequences.h"

namespace pollux::cpu::translate {

namespace {

// System V calling convention.
constexpr Reg kFirstArgument = 7, kSecondArgument = 6;
constexpr std::array<Reg, 6> kPreserved = {3, 5, 12, 13, 14, 15};

constexpr u8 kRet = 0xc3;
constexpr Opcode kPush{.code = 0x50}, kPop{.code = 0x58};
constexpr Opcode kLoadXmm{.code = 0x28, .map = 1}, kStoreXmm{.code = 0x29, .map = 1};  // movaps

Address at(Reg base, u64 offset) { return {base, i32(offset)}; }

// Between the interpreter's state, and the host's registers and the frame. Uses kScratch. below: how far rsp is below
// where it is otherwise.
void registers(Assembler& a, const Layout& layout, bool load, i32 below) {
  for (unsigned n = 0; n < 16; ++n) {
    a.op(load ? kLoadXmm : kStoreXmm, n, Address{kFrameReg, layout.xmm + below + i32(n) * 16});
  }
  for (unsigned n = 0; n < 16; ++n) {
    const bool in_memory = kHostOf[n] == kInMemory;
    const Reg host = in_memory ? kScratch : kHostOf[n];
    const Address guest{kFrameReg, layout.gpr + below + i32(n) * 8};
    if (load) {
      a.load(host, guest);
      if (in_memory) a.store(guest_in_frame(n, below), host);
    } else {
      if (in_memory) a.load(host, guest_in_frame(n, below));
      a.store(guest, host);
    }
  }
  const Address state{kFrameReg, layout.arithmetic + below}, frame = in_frame(offsetof(Frame, arithmetic), below);
  a.op({.code = 0xb7, .map = 1}, kScratch, load ? state : frame);  // movzx
  a.op({.code = 0x89, .prefix66 = true}, kScratch, load ? frame : state);
}

const u8* write_look_up(Assembler& a, const Thunks& t, const Layout& layout, unsigned view, bool write, unsigned size,
                        bool aligned) {
  const u8* const begin = a.at();
  u8* const miss = Sequences(a, layout, kReturnAddress).look_up(view, write, size, aligned);
  a.byte(kRet);
  a.link_here(miss);
  if (!aligned) {
    // The tag agrees when the page does not.
    a.arithmetic(7, kAddressReg, i32(memory::kPageSize));
    u8* const elsewhere = a.jump_if(kNb);
    a.call(t.crosses_said);
    a.link_here(elsewhere);
  }
  u8* const record = call_out(a, t, ExitKind::kAccess, access_detail(size, write, aligned, false, view));
  link_record(record, a.at());
  push_caller(a);
  a.jump(begin);
  return begin;
}

const u8* write_find_jump(Assembler& a, const Thunks& t, const Layout& layout, u16 detail) {
  const u8* const begin = a.at();
  if (detail & kFromLink) {
    a.arithmetic(5, in_frame(offsetof(Frame, relinks), kReturnAddress), 1, false);
    u8* const enough = a.jump_if(kNs);
    call_out(a, t, ExitKind::kFar, detail);
    a.link_here(enough);
  }
  Sequences pieces(a, layout, kReturnAddress);
  u8* const miss = pieces.find_jump();
  const u8* const found = a.at();
  pieces.keep_jump();
  a.byte(kRet);
  const u8* const resume = a.at();
  push_caller(a);
  a.jump(found);
  a.link_here(miss);
  link_record(call_out(a, t, ExitKind::kMissed, detail), resume);
  return begin;
}

const u8* write_read_counter(Assembler& a, const Layout& layout) {
  const u8* const begin = a.at();
  const auto frame = [](u64 member) { return in_frame(member, kReturnAddress); };
  constexpr Opcode kAdd{.code = 0x03, .wide = true}, kSub{.code = 0x2b, .wide = true};
  a.load(kRaxReg, frame(offsetof(Frame, end)));
  a.op(kSub, kRaxReg, frame(offsetof(Frame, budget)));
  a.op(kSub, kRaxReg, kAddressReg);
  a.load(kAddressReg, frame(offsetof(Frame, time_line)));
  a.op(kSub, kRaxReg, at(kAddressReg, offsetof(door::TimeLine, from)));
  a.op({.code = 0xf7, .wide = true}, 4, at(kAddressReg, offsetof(door::TimeLine, rate)));  // mul: to rdx, rax
  a.op({.code = 0xac, .map = 1, .wide = true}, kRdxReg, kRaxReg), a.immediate(32, 1);      // shrd
  a.op(kAdd, kRaxReg, at(kAddressReg, offsetof(door::TimeLine, time)));
  a.op(kAdd, kRaxReg, Address{kFrameReg, layout.tsc_adjust + kReturnAddress});
  a.mov(kRdxReg, kRaxReg);
  a.shift(5, kRdxReg, 32);
  a.mov32(kRaxReg, kRaxReg);
  a.byte(kRet);
  return begin;
}

void write_called(Assembler& a, const Layout& layout, Thunks& t) {
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    for (const bool write : {false, true}) {
      for (unsigned n = 0; n < Thunks::kSizes; ++n) {
        t.look_up[view][write][n] = write_look_up(a, t, layout, view, write, 1u << n, false);
      }
      t.look_up_aligned[view][write] = write_look_up(a, t, layout, view, write, 16, true);
    }
  }
  t.find_jump = write_find_jump(a, t, layout, 0);
  t.find_far = write_find_jump(a, t, layout, kFromLink);
  t.read_counter = write_read_counter(a, layout);
  t.save_flags = a.at();
  Sequences(a, layout, kReturnAddress).save_flags(Repair::kNone);
  a.byte(kRet);
  t.budget = a.at();
  call_out(a, t, ExitKind::kBudget, 0);
  t.take_kept_jump = a.at();
  Sequences(a, layout, 0).restore_jump();
  t.take_jump = a.at();
  Sequences(a, layout, 0).take_jump();
}

}  // namespace

u8* call_out(Assembler& a, const Thunks& t, ExitKind kind, u16 detail) {
  a.op({.code = 0x8f}, 0, in_frame(offsetof(Frame, caller)));  // pop
  a.call(t.out);
  u8* const record = a.at();
  write_exit(a, {.kind = kind, .give_back = kSaidByCaller, .detail = detail});
  return record;
}

void link_record(u8* record, const u8* to) {
  const i32 distance = i32(to - record);
  std::memcpy(record + offsetof(Record, to), &distance, sizeof distance);
}

void push_caller(Assembler& a) { a.op({.code = 0xff}, 6, in_frame(offsetof(Frame, caller))); }

Thunks write_thunks(Assembler& a, i64 executable, const Layout& layout) {
  Thunks t;
  // A function: the frame's address lies on top of the host's stack meanwhile.
  t.enter = reinterpret_cast<decltype(t.enter)>(a.at() + executable);
  for (const Reg r : kPreserved) a.op_short(kPush, r);
  a.op_short(kPush, kFirstArgument);
  a.store(at(kFirstArgument, offsetof(Frame, host_rsp)), kRspReg);
  if (layout.in_gs) {
    a.mov_immediate32(kRaxReg, u32(layout.in_gs));
    a.op({.code = 0xae, .map = 1, .wide = true, .repeat = 0xf3}, 3, kRaxReg);  // wrgsbase: no other code uses it
  }
  a.mov(kFrameReg, kFirstArgument);
  a.mov(kRaxReg, kSecondArgument);
  const u8* const go_on = a.at();
  a.lea(kFrameReg, at(kFrameReg, kRspInFrame));
  a.store(in_frame(offsetof(Frame, next)), kRaxReg);
  registers(a, layout, true, 0);
  a.load(kAddressReg, in_frame(offsetof(Frame, address)));
  a.load(kScratch, in_frame(offsetof(Frame, scratch)));
  a.jump(in_frame(offsetof(Frame, next)));

  t.out_with_flags = a.at();
  Sequences(a, layout, kReturnAddress).save_flags(Repair::kNone);
  t.out = a.at();
  a.store(in_frame(offsetof(Frame, address), kReturnAddress), kAddressReg);
  a.store(in_frame(offsetof(Frame, scratch), kReturnAddress), kScratch);
  registers(a, layout, false, kReturnAddress);
  a.load(kSecondArgument, at(kRspReg, 0));
  a.lea(kFirstArgument, {kRspReg, kReturnAddress - kRspInFrame});
  a.load(kRspReg, at(kFirstArgument, offsetof(Frame, host_rsp)));
  a.op({.code = 0xff}, 2, at(kFirstArgument, offsetof(Frame, serve)));  // call
  a.op({.code = 0x85, .wide = true}, kRaxReg, kRaxReg);
  u8* const ended = a.jump_if(kZ);
  a.load(kRspReg, at(kRspReg, 0));
  a.jump(go_on);
  a.link_here(ended);
  a.op_short(kPop, kFirstArgument);
  for (auto r = kPreserved.rbegin(); r != kPreserved.rend(); ++r) a.op_short(kPop, *r);
  a.byte(kRet);
  write_separates(a, layout, t);
  write_called(a, layout, t);
  write_repeats(a, layout, t);
  write_transfers(a, layout, t);
  write_jumps(a, layout, t);
  return t;
}

}  // namespace pollux::cpu::translate
