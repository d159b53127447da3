#include "generator.h"

namespace pollux::test::translation {

using Shape = Item::Shape;
using Refers = Item::Refers;

namespace {
// From a code page to where it appears below 4 GiB, in 32 bits.
constexpr i32 kToTop = i32(u32(kTop - page_at(kTopCodePage)));
// From a code page to the mirror.
constexpr i32 kToMirror = i32(kMirror - page_at(0));
}  // namespace

i32 Generator::elsewhere() { return !one_in(8) ? 0 : code32_ && one_in(2) ? kToTop : kToMirror; }

void Generator::branch() {
  switch (random_.below(10)) {
    case 0: case 1: case 2: case 3: return forward();
    case 4: case 5: return loop();
    case 6: case 7: return call();
    default: return indirect();
  }
}

void Generator::forward() {
  Item item{.shape = Shape::kPlain, .refers = Refers::kRelative};
  const bool small = one_in(2);
  const u8 c = u8(random_.below(16));
  item.form = small ? Form{.opcode = u8(0x70 | c), .immediate_bytes = 1}
                    : Form{.opcode = u8(0x80 | c), .map = 1, .immediate_bytes = 4};
  if (one_in(5)) item.form = Form{.opcode = u8(small ? 0xeb : 0xe9), .immediate_bytes = u8(small ? 1 : 4)};
  if (one_in(12)) item.form = Form{.opcode = u8(0xe0 + random_.below(4)), .immediate_bytes = 1};  // loop, jrcxz
  forward_.push_back({unsigned(program_.items.size()), small ? 3u : 8u});
  if (!small) item.addend = elsewhere();
  add(item);
}

void Generator::move_on() {
  if (slots_.empty()) return;
  add({.shape = Shape::kPlain,
       .form = {.opcode = 0xe9, .immediate_bytes = 4},
       .refers = Refers::kRelative,
       .target = unsigned(program_.items.size() + 1)});
  add({.origin = begin_piece()});
}

// A counter in a register that the body may well change: then the run's end is its end.
void Generator::loop() {
  const unsigned counter = destination();
  const bool is_hot = one_in(4), moves = one_in(3);
  set_constant(counter, 1 + random_.below(is_hot ? 60 : 5));
  const unsigned head = unsigned(program_.items.size());
  const std::array<bool, 16> known = known_;
  known_.fill(false);
  known_[4] = known[4];
  for (u64 n = random_.below(5); n; --n) {
    if (moves && one_in(2)) move_on();
    one_in(6) ? vector() : one_in(5) ? forward() : one_in(moves ? 2 : 6) ? call() : integer();
  }
  on_register({.opcode = 0xff, .wide = bool(random_.below(2))}, 1, counter);  // dec
  Item back{.shape = Shape::kPlain, .form = {.opcode = 0x85, .map = 1, .immediate_bytes = 4}, .refers = Refers::kRelative,
            .target = head};
  if (one_in(4)) back.form.opcode = 0x8f;  // jg
  add(back);
  known_.fill(false);
}

void Generator::call() {
  calls_.push_back(unsigned(program_.items.size()));
  if (random_.below(2)) {
    add({.shape = Shape::kPlain, .form = {.opcode = 0xe8, .immediate_bytes = 4}, .refers = Refers::kRelative, .addend = elsewhere()});
  } else {
    const unsigned reg = destination();
    add({.shape = Shape::kPlain, .form = {.opcode = 0xb8, .immediate_bytes = 4}, .reg = reg, .refers = Refers::kImmediate,
         .addend = elsewhere()});
    forget(reg);
    if (one_in(2)) {
      on_register({.opcode = 0xff}, 2, reg);
    } else {  // through memory
      const Memory m = aimed(kData + random_.below(32) * 8);
      add({.shape = Shape::kMemory, .form = {.opcode = 0x89, .wide = true}, .reg = reg, .memory = m});
      add({.shape = Shape::kMemory, .form = {.opcode = 0xff}, .reg = 2, .memory = m});
    }
  }
  known_.fill(false);
}

// To somewhere behind the call, if the function's flags say so.
void Generator::move_return() {
  forward();
  if (code32_) return;
  Item item{.shape = Shape::kMemory, .form = {.opcode = 0x83, .wide = true, .immediate_bytes = 1}, .memory = {.base = 4}};
  item.form.immediate = 1 + random_.below(8);
  add(item);
}

void Generator::indirect() {
  const unsigned reg = destination();
  forward_.push_back({unsigned(program_.items.size()), 10});
  const i32 addend = elsewhere();
  switch (random_.below(4)) {
    case 0:  // push label; ret
      add({.shape = Shape::kPlain, .form = {.opcode = 0x68, .immediate_bytes = 4}, .refers = Refers::kImmediate, .addend = addend});
      plain({.opcode = 0xc3});
      return;
    case 1:  // lea reg, [label]; jmp reg
      add({.shape = Shape::kMemory, .form = {.opcode = 0x8d, .wide = true}, .reg = reg, .memory = {.base = Memory::kRip},
           .refers = Refers::kDisplacement, .addend = addend});
      forget(reg);
      on_register({.opcode = 0xff}, 4, reg);
      return;
    default: {
      const Memory m = aimed(kData + random_.below(32) * 8);
      add({.shape = Shape::kMemory, .form = {.opcode = 0xc7, .wide = true, .immediate_bytes = 4}, .reg = 0, .memory = m,
           .refers = Refers::kImmediate, .addend = addend});
      if (one_in(3)) integer();
      add({.shape = Shape::kMemory, .form = {.opcode = 0xff}, .reg = 4, .memory = m});
      return;
    }
  }
}

}  // namespace pollux::test::translation
