// The page walk: 4-level, PAE and 32-bit paging. Source: Intel SDM vol. 3, 4.3 to 4.8.
#include "cpu/mmu/walk.h"

namespace pollux::cpu::mmu {

namespace {

enum EntryBit : u64 {
  kWritable = 2,
  kUser = 4,
  kAccessed = 0x20,
  kDirty = 0x40,
  kLarge = 0x80,
};
constexpr u64 kNoExecute = u64{1} << 63;

}  // namespace

// Reads one entry and gathers its rights. False when it is not present or has reserved bits set; w.error then says
// which. After success w.table is the next table, or w.done is set and w.physical the byte.
bool Mmu::step(Walk& w, u64 table, unsigned level, unsigned index_bits, unsigned entry_size,
               bool may_be_large) const {
  const unsigned shift = memory::kPageShift + (level - 1) * index_bits;
  const u64 index = w.linear >> shift & ((1u << index_bits) - 1);
  const memory::PhysAddr at(table + index * entry_size);
  u64 entry = 0;
  const std::byte* host = memory_.host_page(at);
  if (host) std::memcpy(&entry, host + (at.value & memory::kPageMask), entry_size);
  if (!(entry & kPresent)) return false;

  const bool large = may_be_large && level > 1 && (entry & kLarge);
  u64 reserved = 0;
  u64 frame = 0;
  if (entry_size == 8) {
    reserved = kAddressField & ~kPhysicalMask;
    if (!no_execute()) reserved |= kNoExecute;
    if (!long_paging()) reserved |= 0x7ff0'0000'0000'0000;  // PAE: bits 62:52
    if (level == 4 || (level > 1 && !may_be_large)) reserved |= kLarge;
    if (large) reserved |= ((u64{1} << shift) - 1) & ~u64{0x1fff};
    frame = entry & kAddressField & ~(large ? u64{1} << 12 : 0);
  } else {
    frame = entry & 0xffff'f000;
    if (large) {  // PSE-36: bits 20:13 are address bits 39:32, bit 21 is reserved
      reserved = 1u << 21;
      frame = (entry & 0xffc0'0000) | (entry & 0x1f'e000) << 19;
    }
  }
  if (entry & reserved) {
    w.error = x86::kPfPresent | x86::kPfReserved;
    return false;
  }
  w.user &= (entry & kUser) != 0;
  w.writable &= (entry & kWritable) != 0;
  w.no_execute |= entry_size == 8 && (entry & kNoExecute);
  w.steps[w.count++] = {at, entry, u8(entry_size), u8(level), level == 4 ? 0 : w.linear & ~((u64{1} << (shift + index_bits)) - 1)};
  w.done = large || level == 1;
  if (w.done) {
    w.physical = frame | (w.linear & ((u64{1} << shift) - 1));
  } else {
    w.table = frame;
  }
  return true;
}

bool Mmu::walk(Walk& w) const {
  if (!paging()) {
    w.physical = w.linear;
    return true;
  }
  if (long_paging()) {
    unsigned level = kRootLevel;
    w.table = cr3_ & kAddressField;
    if (const LastTable& known = last_table(w.linear); known.region == w.linear >> kRegionShift) {
      level = 1;
      w.table = known.table;
      w.user = known.user, w.writable = known.writable, w.no_execute = known.no_execute;
    }
    for (; !w.done; --level) {
      if (!step(w, w.table, level, 9, 8, level < kRootLevel)) return false;
    }
    return true;
  }
  if (cr4_ & x86::kCr4Pae) {
    const u64 pdpte = pdptes_[w.linear >> 30 & 3];
    if (!(pdpte & kPresent)) return false;
    w.table = pdpte & kAddressField;
    for (unsigned level = 2; !w.done; --level) {
      if (!step(w, w.table, level, 9, 8, true)) return false;
    }
    return true;
  }
  w.table = cr3_ & 0xffff'f000;
  for (unsigned level = 2; !w.done; --level) {
    if (!step(w, w.table, level, 10, 4, (cr4_ & x86::kCr4Pse) != 0)) return false;
  }
  return true;
}

// SDM vol. 3, 4.6.
bool Mmu::permitted(Walk& w) const {
  if (!paging()) return true;
  bool allowed = true;
  if (w.view == View::kUser) {
    allowed = w.user;
    if (w.access == Access::kWrite) allowed &= w.writable;
  } else {
    if (w.user && w.access == Access::kFetch && (cr4_ & x86::kCr4Smep)) allowed = false;
    if (w.user && w.access != Access::kFetch && (cr4_ & x86::kCr4Smap) && w.view != View::kSupervisorAc) {
      allowed = false;
    }
    if (w.access == Access::kWrite && !w.writable && (cr0_ & x86::kCr0Wp)) allowed = false;
  }
  if (w.access == Access::kFetch && w.no_execute) allowed = false;
  if (!allowed) w.error = x86::kPfPresent;
  return allowed;
}

// The entry of a step as commit() leaves it.
u64 Mmu::wanted_entry(const Walk& w, unsigned step) {
  const bool dirty = step + 1 == w.count && w.access == Access::kWrite;
  return w.steps[step].entry | kAccessed | (dirty ? u64{kDirty} : 0);
}

bool Mmu::commit_sets_bits(const Walk& w) const {
  for (unsigned i = 0; i < w.count; ++i) {
    if (wanted_entry(w, i) != w.steps[i].entry) return true;
  }
  return false;
}

// Sets the accessed bits of all levels and, for a write, the dirty bit of the last.
void Mmu::commit(Walk& w) {
  for (unsigned i = 0; i < w.count; ++i) {
    Walk::Step& step = w.steps[i];
    const u64 wanted = wanted_entry(w, i);
    if (wanted != step.entry) {
      memory_.note_write(step.at, step.entry_size, memory::Writer::kWalk);
      std::memcpy(memory_.host_page(step.at) + (step.at.value & memory::kPageMask), &wanted, step.entry_size);
    }
    note_table(memory::PhysAddr(step.at.value & ~memory::kPageMask), step.level, step.base, step.entry_size);
  }
  if (w.count == kRootLevel) keep_last_table(w);
}

void Mmu::keep_last_table(const Walk& w) {
  LastTable known{.region = w.linear >> kRegionShift,
                  .table = w.steps[kRootLevel - 1].at.value & ~memory::kPageMask,
                  .user = true,
                  .writable = true};
  for (unsigned i = 0; i + 1 < kRootLevel; ++i) {
    known.user &= (w.steps[i].entry & kUser) != 0;
    known.writable &= (w.steps[i].entry & kWritable) != 0;
    known.no_execute |= (w.steps[i].entry & kNoExecute) != 0;
  }
  last_tables_[w.linear >> 63][known.region % last_tables_[0].size()] = known;
}

bool Mmu::translate(u64 linear, Access access, View view, Translation& out, x86::Fault& fault) {
  if (access == Access::kFetch) {
    if (const FetchEntry* e = probe_fetch(linear, view)) {
      out.physical = memory::PhysAddr(linear + e->addend);
      std::byte* page = memory_.host_page(out.physical);
      out.host = page ? page + (linear & memory::kPageMask) : nullptr;
      return true;
    }
  }
  Walk w{.linear = linear, .access = access, .view = view};
  if (!walk(w) || !permitted(w)) {
    fault = {x86::Exception::kPage, w.error, linear};
    if (access == Access::kWrite) fault.error |= x86::kPfWrite;
    if (view == View::kUser) fault.error |= x86::kPfUser;
    const bool tells_fetch = (cr4_ & x86::kCr4Smep) || (no_execute() && (cr4_ & x86::kCr4Pae));
    if (access == Access::kFetch && tells_fetch) fault.error |= x86::kPfFetch;
    return false;
  }
  finish(w, out);
  return true;
}

bool Mmu::translate_unchanged(u64 linear, Access access, View view, Translation& out) {
  Walk w{.linear = linear, .access = access, .view = view};
  if (!walk(w) || !permitted(w) || commit_sets_bits(w)) return false;
  finish(w, out);
  return true;
}

bool Mmu::finds_unchanged(u64 linear, Access access, View view) const {
  if (access == Access::kFetch && probe_fetch(linear, view)) return true;  // invariant 3
  Walk w{.linear = linear, .access = access, .view = view};
  return walk(w) && permitted(w) && !commit_sets_bits(w);
}

void Mmu::finish(Walk& w, Translation& out) {
  commit(w);
  out.physical = memory::PhysAddr(w.physical);
  std::byte* page = memory_.host_page(out.physical);
  w.host_page = page;
  out.host = page ? page + (w.linear & memory::kPageMask) : nullptr;
  fill(w, w.access);
}

bool Mmu::load_pdptes(u64 cr3) {
  std::array<u64, 4> loaded{};
  if (!memory_.read(memory::PhysAddr(cr3 & 0xffff'ffe0), std::as_writable_bytes(std::span(loaded)))) return false;
  constexpr u64 kReserved = 0x1e6 | (~kPhysicalMask);
  for (const u64 entry : loaded) {
    if ((entry & kPresent) && (entry & kReserved)) return false;
  }
  pdptes_ = loaded;
  flush();
  return true;
}

}  // namespace pollux::cpu::mmu
