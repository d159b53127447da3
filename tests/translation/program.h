// One random program: the instructions with what they refer to, the state before, and what happens from outside.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "encoder.h"
#include "layout.h"
#include "x86/state.h"

namespace pollux::test::translation {

// One instruction. What it refers to is another item's address, so that items can be left out.
struct Item {
  enum class Shape : u8 { kRaw, kPlain, kRegister, kMemory };
  enum class Refers : u8 { kNowhere, kRelative, kImmediate, kDisplacement };

  Shape shape = Shape::kRaw;
  Form form;
  unsigned reg = 0, rm = 0;
  Memory memory;
  std::vector<u8> raw;
  Refers refers = Refers::kNowhere;
  unsigned target = 0;  // item
  i32 addend = 0;       // bytes from the target's beginning
  u64 origin = 0;       // not 0: the code goes on at this address, without a jump
  bool left_out = false;
};

// Something that comes from outside at a position.
struct Event {
  u64 position;
  bool nmi;
};

struct Program {
  std::vector<Item> items;
  x86::State state;      // before; segments and tables are the machine's
  bool user = false;     // privilege level 3
  unsigned bits = 64;    // 32: compatibility mode, of a user; ES, DS, FS and GS are the program's
  std::vector<Event> events;
  u64 slices = 0;        // seed
};

// The code pages with the program in them.
struct Image {
  std::array<std::array<u8, 4096>, kCodePages> pages;
  std::array<u8, kCodePages * 4096> lengths;
  u64 entry = kCode;
};
void lay_out(const Program& program, Image& image);

// Addresses, bytes and the disassembly.
std::string listing(const Program& program);

}  // namespace pollux::test::translation
