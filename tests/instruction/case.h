// One case of the oracle test: an instruction, the state before it, the memory around its operand; and what a
// processor, the host's own or the interpreter, makes of it. Plain data, shared with the sandboxed child.
//
// Memory, at the same addresses in the child and in the guest:
//   kCode     one page; the instruction stands in its middle
//   kData     two pages, read and write; the page after them is not mapped
//   kReadOnly one page, read only; the pages around it are not mapped
// Only the window around the border of the two data pages and the edge at the end of the second one differ from case
// to case; all operands are there.
#pragma once

#include <array>

#include "base/integers.h"

namespace pollux::test {

inline constexpr u64 kCodePage = 0x1000'0000, kCodeAt = kCodePage + 0x800;
inline constexpr u64 kData = 0x2000'0000, kDataEnd = kData + 0x2000;
inline constexpr u64 kReadOnly = 0x2100'0000;
inline constexpr u64 kWindowSize = 1536, kWindow = kData + 0x1000 - kWindowSize / 2;
inline constexpr u64 kEdgeSize = 640, kEdge = kDataEnd - kEdgeSize;
inline constexpr u64 kMargin = 256;  // of the window, for what reaches beyond an operand: ENTER

// The layout of FXSAVE64 (SDM vol. 1, 10.5.1).
struct alignas(16) Fx {
  u16 control;
  u16 status;
  u16 tag;  // abridged
  u16 opcode;
  u64 instruction_pointer, data_pointer;
  u32 mxcsr, mxcsr_mask;
  struct alignas(16) Register {
    u64 low, high;
  };
  std::array<Register, 8> st;
  std::array<Register, 16> xmm;
  std::array<u8, 96> unused;
};
static_assert(sizeof(Fx) == 512);

struct State {
  std::array<u64, 16> gpr;  // by number
  u64 rip, rflags;
  Fx fx;
};

struct Input {
  State state;
  std::array<u8, kWindowSize> window;
  std::array<u8, kEdgeSize> edge;
  std::array<u8, 16> code;
  u8 length;
  u8 code_bits;  // 64 or 32
  u32 row;       // index into rows() of templates.h
  u64 operand;   // address of the memory operand, if any
};

struct Output {
  State state;
  std::array<u8, kWindowSize> window;
  std::array<u8, kEdgeSize> edge;
  i32 vector;   // of the exception, or -1 when the instruction retired
  u32 error;    // of #PF: its low three bits
  u64 address;  // of #PF
};

// The byte of an output's memory at an address, or nullptr.
template <class MaybeConst>
auto byte_at(MaybeConst& out, u64 address) -> decltype(&out.edge[0]) {
  if (address >= kWindow && address < kWindow + kWindowSize) return &out.window[address - kWindow];
  if (address >= kEdge && address < kEdge + kEdgeSize) return &out.edge[address - kEdge];
  return nullptr;
}

}  // namespace pollux::test
