#include "generator.h"

namespace pollux::test::translation {

using Shape = Item::Shape;
using Refers = Item::Refers;

void Generator::string() {
  constexpr u8 kOps[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
  if (random_.below(3)) set_constant(1, random_.below(one_in(3) ? 300 : 9));
  if (random_.below(3)) set_constant(6, target(8, false));
  if (random_.below(3)) set_constant(7, target(8, false));
  Form f{.opcode = kOps[random_.below(std::size(kOps))]};
  if (random_.below(3)) f.mandatory = random_.below(2) ? 0xf3 : 0xf2;
  f.wide = one_in(3);
  f.operand16 = one_in(6);
  plain(f);
  forget(0), forget(1), forget(6), forget(7);
}

// A store into an instruction that comes soon, or that has been, at its own address or at the other one.
void Generator::modify_code() {
  Form f;
  const unsigned size = sized(f);
  const bool immediate_form = one_in(2);
  f.opcode = u8((immediate_form ? 0xc6 : 0x88) | (size == 1 ? 0 : 1));
  if (immediate_form) f.immediate_bytes = u8(size == 8 ? 4 : size), f.immediate = immediate(4);
  if (immediate_form && one_in(3)) f.immediate = 0x9090909090909090;
  if (one_in(4)) f.opcode = u8(immediate_form ? 0x80 : 0x30) | (size == 1 ? 0 : 1);  // add imm, xor
  Item item{.shape = Shape::kMemory,
            .form = f,
            .reg = immediate_form ? 0 : any(),
            .memory = {.base = one_in(2) ? Memory::kRip : Memory::kNone},
            .refers = Refers::kDisplacement,
            .addend = i32(random_.below(8))};
  if (one_in(3)) item.addend += i32(page_at(kAliasPage) - kCode);
  if (one_in(4)) item.addend += i32(random_.below(4096));
  if (one_in(3)) {
    item.target = unsigned(random_.below(program_.items.size()));
  } else {
    forward_.push_back({unsigned(program_.items.size()), 6});
  }
  add(item);
}

void Generator::change_pages() {
  unsigned page = unsigned(random_.below(kRegionPages));
  if (one_in(3)) page = unsigned(random_.below(kCodePages));
  if (one_in(3)) page = kDataPage + unsigned(random_.below(4));
  const u64 table = program_.user || one_in(2) ? page_at(kTablePage) : kRegionTable;
  const Memory m = aimed(table + 8 * page);
  Form f{.opcode = 0xc7, .wide = true, .immediate_bytes = 4};
  const PageUse use = page_use(page);
  constexpr u64 kAll = kPresent | kWrite | kUser;
  unsigned reg = 0;
  switch (random_.below(9)) {
    case 0: f.immediate = 0; break;
    case 1: f.immediate = use.physical; break;  // not present
    case 2: f.immediate = use.physical | kPresent | kUser; break;
    case 3: f.immediate = use.physical | kPresent | kWrite; break;  // supervisor
    case 4: f.immediate = page_use(kOtherCodePage).physical | kAll; break;
    case 5: f.immediate = page_use(unsigned(random_.below(kRegionPages))).physical | kAll; break;
    case 6: f.immediate = use.physical | kAll; break;
    case 7: f.opcode = 0x81, reg = 4, f.immediate = ~u64(random_.below(2) ? 0x60 : 0x20); break;  // and: A, D clear
    default: f.opcode = 0x81, reg = 6, f.immediate = u64{1} << random_.below(7); break;           // xor
  }
  if (f.immediate >> 31 && f.opcode == 0xc7) f.immediate = 0;
  add({.shape = Shape::kMemory, .form = f, .reg = reg, .memory = m});
  if (!program_.user && one_in(3)) {
    add({.shape = Shape::kMemory,
         .form = {.opcode = 0x01, .map = 1},
         .reg = 7,
         .memory = aimed(page_at(page))});  // invlpg
  }
}

// An instruction that reads or writes the entry of a page that it uses besides, so that what its look-ups find, and the
// bits that they set, may change what it does. The page may be no RAM, or the table itself.
void Generator::entangle() {
  unsigned page = unsigned(random_.below(kRegionPages));
  if (one_in(2)) page = kStackPage + unsigned(random_.below(2));
  if (one_in(4)) page = kTablePage;
  const u64 at = (program_.user || one_in(2) ? page_at(kTablePage) : kRegionTable) + 8 * page;
  const auto on_entry = [&](Form f, unsigned reg) {
    add({.shape = Shape::kMemory, .form = f, .reg = reg, .memory = aimed(at)});
  };
  if (one_in(2)) {
    constexpr std::array kPages = {kDevicePage, kTablePage, kUnmappedPage, kReadOnlyPage, kDataPage, 0u};
    const unsigned reg = destination();
    set_constant(reg, page_use(kPages[random_.below(kPages.size())]).physical | kPresent | random_.below(8));
    on_entry({.opcode = 0x89, .wide = true}, reg);
  } else if (one_in(2)) {
    on_entry({.opcode = 0x81, .wide = true, .immediate_bytes = 4, .immediate = ~u64{0x60}}, 4);  // and: A, D clear
  }
  const u64 place = page_at(page) + (one_in(3) ? 0 : one_in(2) ? 4096 - random_.below(16) : 8 * random_.below(512));
  const unsigned what = unsigned(random_.below(8));
  if (what < 6) set_constant(4, place);
  switch (what) {
    case 0: on_entry({.opcode = 0xff}, 2); break;  // call
    case 1: on_entry({.opcode = 0xff}, 4); break;  // jmp
    case 2: on_entry({.opcode = 0xff}, 6); break;  // push
    case 3: on_entry({.opcode = 0x8f}, 0); break;  // pop
    case 4: plain({.opcode = 0xc3}); break;        // ret
    case 5: call(); break;
    default: {
      const bool from_entry = one_in(2);
      set_constant(6, from_entry ? at : place);
      set_constant(7, from_entry ? place : at);
      Form movs{.opcode = u8(0xa4 + random_.below(2)), .wide = bool(random_.below(2))};
      if (!one_in(3)) set_constant(1, 1 + random_.below(6)), movs.mandatory = 0xf3;
      plain(movs);
      break;
    }
  }
  known_.fill(false);
  if (what < 6 && one_in(2)) set_constant(4, kStack - 8 * random_.below(60));
}

void Generator::system() {
  const auto raw = [&](std::vector<u8> bytes) { add({.raw = std::move(bytes)}); };
  const auto rex = [&] { return u8(0x40 | random_.below(2) << 3 | random_.below(2)); };  // W, B
  switch (random_.below(20)) {
    case 0:
      raw({0x0f, 0xa2});
      forget(0), forget(1), forget(2), forget(3);
      return;  // cpuid
    case 1:
      raw({0x0f, 0x31});
      forget(0), forget(2);
      return;  // rdtsc
    case 2:
      raw({0x0f, 0x05});
      forget(1), forget(11);
      return;  // syscall
    case 3: raw({0xcc}); return;
    case 4: raw({0x0f, 0x0b}); return;
    case 5: raw({u8(random_.below(2) ? 0xfa : 0xfb)}); return;       // cli, sti
    case 6: raw({0x0f, 0x01, u8(0xca + random_.below(2))}); return;  // clac, stac
    case 7: raw({0x0f, 0x01, 0xf8}); return;                         // swapgs
    case 8:                                                          // rdfsbase ...
      raw({0xf3, rex(), 0x0f, 0xae, u8(0xc0 | random_.below(32))});
      return known_.fill(false);
    case 9:  // mov rax, cr3; mov cr3, rax
      raw({0x0f, 0x20, 0xd8}), raw({0x0f, 0x22, 0xd8});
      return forget(0);
    case 10: raw({u8(0xe4 + random_.below(4)), u8(random_.next())}); return forget(0);          // in, out
    case 11: on_memory({.opcode = 0xae, .map = 1}, 2 + unsigned(random_.below(2)), 4); return;  // ldmxcsr, stmxcsr
    case 12: raw({0xf3, 0x90}); return;                                                         // pause
    case 13: raw({0x0f, 0xae, u8(0xe8 + 8 * random_.below(3))}); return;                        // fences
    case 14: on_memory({.opcode = 0x18, .map = 1}, unsigned(random_.below(4)), 1); return;      // prefetch
    case 15: raw({0x0f, 0x06}); return;                                                         // clts
    case 16:                                                                                    // smsw; lmsw with TS
      raw({0x0f, 0x01, 0xe0}), raw({0x83, 0xc8, 0x08}), raw({0x0f, 0x01, 0xf0});
      return forget(0);
    case 17:  // mov from a control register
      raw({rex(), 0x0f, 0x20, u8(0xc0 | std::array{0, 2, 3, 4}[random_.below(4)] << 3 | random_.below(8))});
      return known_.fill(false);
    case 18:  // mov from a segment register
      if (random_.below(2)) return on_memory({.opcode = 0x8c}, unsigned(random_.below(6)), 2);
      if (random_.below(2)) raw({0x66});  // of 16 bits
      raw({rex(), 0x8c, u8(0xc0 | random_.below(6) << 3 | random_.below(8))});
      return known_.fill(false);
    default: raw({0xf4}); return;  // hlt
  }
}

}  // namespace pollux::test::translation
