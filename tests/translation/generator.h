// Random programs. Most of a program is ordinary code whose memory operands lie where they are interesting; registers
// are followed as far as they hold constants, so that addresses can be aimed.
//
// One file for each family: generator_integer, generator_vector, generator_branch, generator_system, and generator_32
// for what only 32-bit code has; generator.cc has the operands, the program's frame, and the choice.
#pragma once

#include "base/random.h"
#include "program.h"

namespace pollux::test::translation {

// The same seed and number give the same program.
// bits: 64, or 32 for compatibility mode, from where programs go to 64-bit code and back.
Program make_program(u64 seed, u64 number, unsigned bits);

class Generator {
 public:
  Generator(u64 seed, unsigned bits) : random_(seed), code32_(bits == 32) {}
  Program make();

 private:
  // generator.cc
  void start();
  void place(std::vector<std::vector<Item>>& pieces);
  void one();
  void tables();
  Item& add(Item item);
  void plain(Form form, unsigned reg = 0) { add({.shape = Item::Shape::kPlain, .form = form, .reg = reg}); }
  void on_register(Form form, unsigned reg, unsigned rm) {
    add({.shape = Item::Shape::kRegister, .form = form, .reg = reg, .rm = rm});
  }
  void on_memory(Form form, unsigned reg, unsigned size, bool aligned = false) {
    add({.shape = Item::Shape::kMemory, .form = form, .reg = reg, .memory = memory(size, aligned)});
  }
  // Register or memory, at random.
  void on_either(Form form, unsigned reg, unsigned size);
  u64 target(unsigned size, bool aligned);
  Memory memory(unsigned size, bool aligned);
  Memory aimed(u64 at);
  void set_constant(unsigned reg, u64 value);
  unsigned any() { return unsigned(random_.below(code32_ ? 8 : 16)); }
  unsigned destination();             // seldom rsp
  void forget(unsigned reg) { known_[reg & 15] = false; }
  u64 immediate(unsigned bytes);
  unsigned sized(Form& form);         // a random operand size; returns it in bytes. 1: opcode bit 0 is to be clear
  bool one_in(u64 n) { return random_.below(n) == 0; }

  // generator_integer.cc
  void integer();
  void arithmetic();
  void shift();
  void multiply_or_divide();
  void move();
  void bits();
  void exchange();
  void condition();
  void stack();
  void flags();

  // generator_vector.cc
  void vector();
  void x87();

  // generator_branch.cc
  void branch();
  void forward();
  void move_on();   // to another place, mostly in another page, where the program goes on
  i32 elsewhere();  // what to add to a label, to go on where the same code appears again
  void loop();
  void move_return();
  void call();
  void indirect();

  // generator_system.cc
  void system();
  void string();
  void modify_code();
  void change_pages();
  void entangle();

  // generator_32.cc
  void start32();
  static void fit32(Item& item);  // makes it one that 32-bit code has
  void only32();
  void segments();
  void change_code_size();

  Random random_;
  const bool code32_;
  Program program_;
  std::array<bool, 16> known_{};
  std::array<u64, 16> value_{};
  // Items whose target is chosen when the number of items is known: forward by at most so many.
  struct Pending {
    unsigned item;
    unsigned most;
  };
  std::vector<Pending> forward_;
  std::vector<unsigned> calls_;       // items whose target is a function to be made
  std::vector<unsigned> slots_;       // of 512 bytes, in the code pages, where nothing is
  u64 begin_piece();                  // an origin
};

}  // namespace pollux::test::translation
