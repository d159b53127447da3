#include "generator.h"

#include <algorithm>
#include <bit>

#include "x86/control.h"
#include "x86/flags.h"

namespace pollux::test::translation {

using Shape = Item::Shape;
using Refers = Item::Refers;

Program make_program(u64 seed, u64 number, unsigned bits) {
  return Generator(seed * 0x9e3779b97f4a7c15 ^ number, bits).make();
}

Item& Generator::add(Item item) {
  if (code32_) fit32(item);
  program_.items.push_back(std::move(item));
  return program_.items.back();
}

u64 Generator::immediate(unsigned bytes) {
  switch (random_.below(6)) {
    case 0: return random_.below(4);
    case 1: return u64(-i64(random_.below(4)));
    case 2: return u64{1} << random_.below(bytes * 8);
    case 3: return u64(i64(i8(random_.next())));
    default: return random_.next();
  }
}

unsigned Generator::destination() {
  const unsigned reg = any();
  return reg == 4 && !one_in(12) ? (code32_ ? 6 : 14) : reg;
}

unsigned Generator::sized(Form& form) {
  form.force_rex = one_in(6);
  switch (random_.below(8)) {
    case 0: case 1: return 1;
    case 2: form.operand16 = true; return 2;
    case 3: case 4: case 5: return 4;
    default: form.wide = !code32_; return code32_ ? 4 : 8;
  }
}

u64 Generator::target(unsigned size, bool aligned) {
  if (code32_ && one_in(40)) return u32(kTop + random_.below(0x2000) + (one_in(2) ? 0x1ff0 : 0));
  const u64 room = 4096 - size;
  u64 at = 0;
  switch (random_.below(24)) {
    case 0: case 1: at = page_at(kDataPage + 1) - 1 - random_.below(size); break;      // across two pages
    case 2: at = page_at(unsigned(kDataPage + random_.below(8))) - random_.below(size + 1); break;
    case 3: at = page_at(kUnmappedPage) + random_.below(room); break;
    case 4: at = page_at(kReadOnlyPage) + random_.below(room); break;
    case 5: at = page_at(kSupervisorPage) + random_.below(room); break;
    case 6: at = page_at(kDevicePage) + random_.below(room); break;
    case 7: at = kCode + random_.below(4096 * 6); break;
    case 8: at = one_in(3) ? 0xa000 + random_.below(0x1000) : page_at(unsigned(random_.below(24))) + random_.below(4096); break;
    case 9: at = kStack - random_.below(256); break;
    default: at = page_at(random_.below(2) ? kDataPage : unsigned(random_.below(2)) ? 9 : 11) + random_.below(64) * 8; break;
  }
  if (aligned ? !one_in(10) : one_in(2)) at &= ~u64(std::max(size, 1u) - 1);
  return at;
}

// An operand at this address, through whatever registers hold constants.
Memory Generator::aimed(u64 at) {
  Memory m;
  u64 rest = at;
  const unsigned how = unsigned(random_.below(10));
  if (how == 0) {
    m.base = Memory::kRip;
    m.displacement = i32(at);
    return m;
  }
  m.narrow = one_in(12);
  if (one_in(code32_ ? 5 : 10)) {
    const bool fs = random_.below(2);
    m.segment = fs ? 0x64 : 0x65;
    if (code32_ && one_in(5)) rest = program_.state.segment[fs ? x86::kFs : x86::kGs].base - random_.below(12);  // the last bytes
    rest -= program_.state.segment[fs ? x86::kFs : x86::kGs].base;
  } else if (one_in(12)) {
    m.segment = code32_ ? std::array<u8, 4>{0x26, 0x2e, 0x36, 0x3e}[random_.below(4)] : 0x3e;
  }
  const unsigned mask = code32_ ? 7 : 15;
  const unsigned from = any();
  for (unsigned n = 0; n < 16 && m.base < 0 && how != 1; ++n) {
    const unsigned reg = (from + n) & mask;
    if (known_[reg]) m.base = int(reg), rest -= value_[reg];
  }
  for (unsigned n = 0; n < 16 && m.index < 0 && how < 6; ++n) {
    const unsigned reg = (from + 5 + n) & mask;
    if (!known_[reg] || reg == 4 || int(reg) == m.base) continue;
    m.index = int(reg);
    m.scale = u8(random_.below(4));
    rest -= value_[reg] << m.scale;
  }
  if (m.narrow || code32_) rest = u64(i64(i32(rest)));
  m.displacement = i32(rest);
  if (u64(i64(m.displacement)) == rest) return m;
  Memory absolute;
  absolute.displacement = i32(at);
  return absolute;
}

Memory Generator::memory(unsigned size, bool aligned) {
  if (one_in(40)) {  // anywhere
    Memory m;
    m.base = int(any());
    m.displacement = i32(immediate(4));
    return m;
  }
  return aimed(target(size, aligned));
}

void Generator::on_either(Form form, unsigned reg, unsigned size) {
  if (random_.below(3)) {
    on_register(form, reg, any());
  } else {
    on_memory(form, reg, size);
  }
}

void Generator::set_constant(unsigned reg, u64 value) {
  if (code32_) value = u32(value);
  Form form{.opcode = 0xb8};
  form.immediate = value;
  form.immediate_bytes = 4;
  if (value >> 32) form.wide = true, form.immediate_bytes = 8;
  plain(form, reg);
  known_[reg] = true;
  value_[reg] = value;
}

void Generator::start() {
  Program& p = program_;
  x86::State& s = p.state;
  s = {};
  p.user = random_.below(3) != 0;
  p.slices = random_.next();
  s.segment[x86::kFs].base = one_in(2) ? 0x7f80 : kData - 24;
  s.segment[x86::kGs].base = one_in(2) ? u64(-i64{4096}) : kData + 0xfe0;
  for (unsigned reg = 0; reg < 16; ++reg) {
    known_[reg] = true;
    switch (random_.below(5)) {
      case 0: value_[reg] = random_.below(64); break;
      case 1: value_[reg] = kData + random_.below(0x1000); break;
      case 2: value_[reg] = page_at(unsigned(random_.below(24))); break;
      default: value_[reg] = immediate(8); break;
    }
    if (reg == 4) value_[reg] = kStack - 8 * random_.below(40) - (one_in(10) ? 3 : 0);
    s.gpr[reg] = value_[reg];
  }
  s.rflags = 2 | (random_.next() & (x86::kArithmeticFlags | x86::kDf));
  if (random_.below(3)) s.rflags |= x86::kIf;
  if (one_in(30)) s.rflags |= x86::kTf;
  if (one_in(20)) s.rflags |= x86::kAc;
  if (one_in(10)) s.rflags |= x86::kIopl;
  for (x86::Xmm& x : s.xmm) {
    const auto half = [&]() -> u64 {
      switch (random_.below(4)) {
        case 0: return random_.next();
        case 1: return std::bit_cast<u64>(double(i64(random_.next()) >> random_.below(64)));
        case 2: return u64(std::bit_cast<u32>(float(random_.below(99)))) << 32 | std::bit_cast<u32>(0.25f);
        default: return random_.below(3) * 0x7fff'ffff'ffff'ffff;
      }
    };
    x = {half(), half()};
  }
  s.mxcsr = 0x1f80;
  if (one_in(4)) s.mxcsr |= u32(random_.next()) & 0xe07f;
  if (one_in(20)) s.mxcsr &= ~(u32(random_.next()) & 0x1f80);
  s.cr0 = random_.below(2) ? u64{x86::kCr0Wp} : 0;
  if (one_in(4)) s.cr0 |= x86::kCr0Am;
  s.cr4 = 0;
  if (p.user && one_in(4)) s.cr4 |= x86::kCr4Smep | x86::kCr4Smap;
  if (code32_) start32();
  for (u64 n = random_.below(4); n > 1; --n) p.events.push_back({random_.below(one_in(2) ? 60 : 500), one_in(5)});
  std::sort(p.events.begin(), p.events.end(), [](const Event& a, const Event& b) { return a.position < b.position; });
}

void Generator::one() {
  if (code32_ && one_in(7)) return only32();
  const u64 choice = random_.below(100);
  if (choice < 58) return integer();
  if (choice < 68) return vector();
  if (choice < 71) return x87();
  if (choice < 86) return branch();
  if (choice < 89) return modify_code();
  if (choice < 92) return one_in(3) ? entangle() : change_pages();
  if (choice < 95) return string();
  if (choice < 98) return system();
  if (one_in(2)) return set_constant(destination(), target(8, false));
  Item item;
  for (u64 n = 1 + random_.below(8); n; --n) item.raw.push_back(u8(random_.next()));
  known_.fill(false);
  add(item);
}

u64 Generator::begin_piece() {  // now and then across the border of two pages
  const unsigned slot = slots_.back();
  slots_.pop_back();
  return kCode + slot * 512 + (slot % 8 == 7 && one_in(2) ? 512 - random_.below(60) : random_.below(80));
}

Program Generator::make() {
  start();
  const u64 length = random_.below(4) ? 1 + random_.below(60) : 1 + random_.below(12);
  const unsigned pieces = unsigned(1 + random_.below(one_in(2) ? 1 : 4));
  slots_.resize(code32_ ? 32 : 30);
  for (unsigned n = 0; n < slots_.size(); ++n) slots_[n] = n;
  for (unsigned n = 0; n < slots_.size(); ++n) std::swap(slots_[n], slots_[n + random_.below(slots_.size() - n)]);
  if (code32_ && one_in(4)) std::swap(*std::ranges::find(slots_, 31u), slots_.back());  // the end of all
  const auto put_origin = [&](u64 origin) { add({.origin = origin}); };
  const auto end = [&] { plain({.opcode = 0xcd, .immediate_bytes = 1, .immediate = kEndVector}); };

  put_origin(begin_piece());
  unsigned piece = 1;
  while (program_.items.size() < length) {
    one();
    if (piece < pieces && program_.items.size() >= piece * length / pieces) {
      ++piece;
      move_on();
    }
  }
  const unsigned last = unsigned(program_.items.size());
  end();
  // Functions.
  const std::vector<unsigned> calls = std::move(calls_);
  calls_.clear();
  for (std::size_t n = 0; n < calls.size(); ++n) {
    const unsigned first = unsigned(program_.items.size());
    program_.items[calls[n]].target = first;
    if (n > 0 && one_in(3)) {  // shares the one before
      program_.items[calls[n]].target = program_.items[calls[n - 1]].target;
      continue;
    }
    if (!slots_.empty() && one_in(2)) put_origin(begin_piece());
    for (u64 count = random_.below(5); count; --count) integer();
    if (one_in(8)) move_return();
    if (one_in(4)) plain({.opcode = 0xc2, .immediate_bytes = 2, .immediate = random_.below(3) * 8});
    else plain({.opcode = 0xc3});
  }
  for (const Pending& p : forward_) {
    const u64 to = p.item + 1 + random_.below(p.most);
    program_.items[p.item].target = unsigned(std::min<u64>(to, p.item < last ? last : program_.items.size() - 1));
  }
  for (Item& item : program_.items) item.target = std::min(item.target, unsigned(program_.items.size() - 1));
  return program_;
}

}  // namespace pollux::test::translation
