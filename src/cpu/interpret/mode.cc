// What follows from the control registers, the segments and the flags: code size, privilege, views, stack size.
#include <xmmintrin.h>

#include "cpu/interpret/interpreter.h"
#include "cpu/interpret/mode.h"

namespace pollux::cpu::interpret {

namespace {

// Data of 4 GiB that may be read and written, wherever it begins.
bool is_whole(const x86::Segment& s) {
  constexpr u16 kLooked = x86::kSegPresent | x86::kSegCode | x86::kSegExpandDown | x86::kSegWritable;
  return s.limit == ~u32{0} && (s.attributes & kLooked) == (x86::kSegPresent | x86::kSegWritable);
}

u32 flat_segments(const x86::State& s) {
  const x86::Segment& cs = s.segment[x86::kCs];
  const x86::Segment& ss = s.segment[x86::kSs];
  const x86::Segment& ds = s.segment[x86::kDs];
  if (cs.limit != ~u32{0} || !is_whole(ss) || !is_whole(ds) || !(ss.attributes & x86::kSegBig)) return 0;
  if (cs.base || ss.base || ds.base) return 0;
  u32 bits = kFlat;
  if (is_whole(s.segment[x86::kFs])) bits |= kWholeFs;
  if (is_whole(s.segment[x86::kGs])) bits |= kWholeGs;
  return bits;
}

}  // namespace

void Interpreter::control_changed() {
  x86::State& s = r_.state;
  mmu_.set_control(s.cr0, s.cr3, s.cr4, s.efer);
  mode_changed();
}

void Interpreter::mode_changed() {
  const x86::State& s = r_.state;
  const x86::Segment& cs = s.segment[x86::kCs];
  if (long_mode() && (cs.attributes & x86::kSegLong)) {
    code_size_ = decode::CodeSize::k64;
  } else if (protected_mode() && !v8086() && (cs.attributes & x86::kSegBig)) {
    code_size_ = decode::CodeSize::k32;
  } else {
    code_size_ = decode::CodeSize::k16;
  }
  // The privilege level is the one of SS (SDM vol. 3, 5.5); real mode has DPL 0 there.
  cpl_ = u8(x86::privilege_of(s.segment[x86::kSs]));
  stack_mask_ = code64() ? ~u64{0} : s.segment[x86::kSs].attributes & x86::kSegBig ? 0xffff'ffff : 0xffff;

  mode_bits_ = u32(code_size_);
  if (s.cr0 & x86::kCr0Em) mode_bits_ |= kEm;
  if (s.cr0 & x86::kCr0Ts) mode_bits_ |= kTs;
  if (s.cr0 & x86::kCr0Mp) mode_bits_ |= kMp;
  if (!(s.cr4 & x86::kCr4Osfxsr)) mode_bits_ |= kNoOsfxsr;
  if (!(s.cr4 & x86::kCr4Osxsave)) mode_bits_ |= kNoOsxsave;
  if (~s.mxcsr & 0x1f80) mode_bits_ |= kSimdUnmasked;

  flat_bits_ = long_mode() && code_size_ == decode::CodeSize::k32 && cpl_ == 3 ? flat_segments(s) : 0;

  view_changed();
  last_block_ = nullptr;
  update_context();
  refresh_attention();
}

void Interpreter::view_changed() {
  const x86::State& s = r_.state;
  const bool ac = s.rflags & x86::kAc;
  alignment_check_ = ac && cpl_ == 3 && (s.cr0 & x86::kCr0Am);
  view_ = cpl_ == 3 ? mmu::View::kUser : ac ? mmu::View::kSupervisorAc : mmu::View::kSupervisor;
  tlb_ = alignment_check_ ? &mmu_.empty_tlb() : &mmu_.tlb(view_);
}

u64 Interpreter::flags() const {
  const u64 arithmetic = (arithmetic_ >> 8 & 0xd5) | u64(arithmetic_ & 1) << 11;
  return (r_.state.rflags & ~x86::kArithmeticFlags) | arithmetic | x86::kFixedFlag;
}

void Interpreter::set_flags(u64 rflags) {
  r_.state.rflags = rflags | x86::kFixedFlag;
  set_arithmetic(rflags);
}

u32 Interpreter::mxcsr() const {
  const u32 sticky = running_ ? _mm_getcsr() & 0x3f : r_.state.mxcsr & 0x3f;
  return (r_.state.mxcsr & ~0x3fu) | sticky;
}

void Interpreter::set_mxcsr(u32 value) {
  r_.state.mxcsr = value;
  if (running_) _mm_setcsr(value | 0x1f80);
  mode_changed();
}

}  // namespace pollux::cpu::interpret
