// The software TLB and the watched pages behind it.
#include "cpu/mmu/mmu.h"

#include <cstring>

#include "cpu/mmu/walk.h"

namespace pollux::cpu::mmu {

namespace {

constexpr u8 kTable = 1, kCode = 2, kRoot = 4;  // page_kind_
constexpr u8 kSeveral = 7;                      // TablePage::level: in use at several levels or places
// A page table that is written this often without a walk through it is probably one no longer.
constexpr u16 kWritesUntilForgotten = 256;
// A write of more bytes tells the same at once.
constexpr u64 kBytesOfEntries = 64;
constexpr u64 kLastSpace = 0xffe;
constexpr u32 kManyWriters = ~u32{0};

bool is_upper(u64 linear) { return linear >> 63; }
u64 fetched_bit(u64 linear) { return (linear >> memory::kPageShift) * 0x9e3779b97f4a7c15 >> 48; }

}  // namespace

Mmu::Mmu(memory::GuestMemory& memory)
    : memory_(memory),
      observer_(memory.add_observer(this)),
      writers_(memory.pages()),
      page_kind_(memory.pages()),
      table_pages_(memory.pages()) {
  set_control(0, 0, 0, 0);
}

void Mmu::set_control(u64 cr0, u64 cr3, u64 cr4, u64 efer) {
  ++fetch_version_;
  cr0_ = cr0;
  cr3_ = cr3;
  cr4_ = cr4;
  efer_ = efer;
  // Everything that a translation depends on besides the tables themselves.
  u64 root = 0;
  u64 mode = 0;
  if (paging()) {
    root = cr3 & 0x000f'ffff'ffff'f000;
    mode = (cr0 & (x86::kCr0Pg | x86::kCr0Wp)) |
           (cr4 & (x86::kCr4Pae | x86::kCr4Pse | x86::kCr4Smep | x86::kCr4Smap)) << 32 |
           (efer & x86::kEferLma) | (efer & x86::kEferNxe) << 20;
  }
  if (root != root_ || mode != mode_) {
    const u64 upper_space = mode == mode_ ? upper_space_ : 0;
    root_ = root;
    mode_ = mode;
    set_root(root);
    clear_data(false);
    // Roots with one upper half translate it alike.
    if (!upper_space || upper_space != upper_space_) clear_data(true);
  }
  for (const Root& known : roots_) {
    if (known.space && known.cr3 == root && known.mode == mode) {
      space_ = known.space;
      return;
    }
  }
  if (next_space_ >= kLastSpace) {
    flush();
    return;
  }
  space_ = next_space_++;
  roots_[next_root_] = {root, mode, space_};
  next_root_ = (next_root_ + 1) % roots_.size();
}

// New numbers for the spaces make all fetches miss; when the numbers run out, the tables are emptied.
void Mmu::new_space() {
  ++fetch_version_;
  roots_ = {};
  if (next_space_ >= kLastSpace) {
    for (FetchTable& table : tables_.fetch) table.fill({});
    next_space_ = 1;
  }
  space_ = next_space_++;
}

void Mmu::changed(bool upper) {
  fetched_pages_[upper] = {};
  ++fetch_changes_[upper];
  ++fetch_version_;
}

void Mmu::flush() {
  clear_data();
  new_space();
  changed(false);
  changed(true);
  if (code_observer_) code_observer_->fetch_changed();
}

void Mmu::flush_lower() {
  clear_data(false);
  new_space();
  changed(false);
  if (code_observer_) code_observer_->fetch_changed();
}

// The current root is watched, so that its upper half is known to be the one that has the number.
void Mmu::set_root(u64 root) {
  if (root_page_ != ~u64{0}) forget_kind(root_page_, kRoot);
  root_page_ = ~u64{0};
  upper_space_ = 0;
  if (!paging() || !long_paging()) return;
  const std::byte* host = memory_.host_page(memory::PhysAddr(root));
  if (!host) return;
  root_page_ = page_number(memory::PhysAddr(root));
  page_kind_[root_page_] |= kRoot;
  memory_.watch(memory::PhysAddr(root), observer_);
  upper_space_ = find_upper_space(host);
}

u64 Mmu::find_upper_space(const std::byte* root) {
  const std::byte* entries = root + memory::kPageSize / 2;
  for (const Upper& known : uppers_) {
    if (known.space && known.mode == mode_ && std::memcmp(known.entries.data(), entries, sizeof known.entries) == 0) {
      return known.space;
    }
  }
  if (next_upper_space_ > kLastSpace) {
    uppers_ = {};
    next_upper_space_ = 1;
    changed(true);
  }
  Upper& upper = uppers_[next_upper_++ % uppers_.size()];
  std::memcpy(upper.entries.data(), entries, sizeof upper.entries);
  upper.mode = mode_;
  upper.space = next_upper_space_++;
  return upper.space;
}

void Mmu::clear_slot(unsigned view, bool write, unsigned index) {
  tables_.data[view].tags[write][index] = no_page(index);
}

void Mmu::clear_data(bool upper) {
  for (const u32 slot : filled_[upper]) {
    const u32 table = slot / kTlbEntries, index = slot % kTlbEntries;
    if (is_upper(tables_.data[table / 2].tags[table % 2][index]) == upper) clear_slot(table / 2, table % 2, index);
  }
  filled_[upper].clear();
  last_tables_[upper].fill({});
}

void Mmu::fill_data(View view, bool write, u64 page, std::byte* host) {
  constexpr std::size_t kMostFilled = 4 * 2 * kViews * kTlbEntries;  // slots dropped and filled again are listed twice
  const bool upper = is_upper(page);
  if (filled_[upper].size() >= kMostFilled) clear_data(upper);
  const unsigned index = tlb_index(page);
  Tlb& tlb = tables_.data[unsigned(view)];
  u64& tag = tlb.tags[write][index];
  if (tag == no_page(index) || is_upper(tag) != upper) {
    filled_[upper].push_back((unsigned(view) * 2 + write) * kTlbEntries + index);
  }
  const u64 at = u64(host), distance = at - page;
  if (tlb.hosts[index] != at || tlb.distances[index] != distance) {
    clear_slot(unsigned(view), !write, index);
    tlb.hosts[index] = at;
    tlb.distances[index] = distance;
  }
  tag = page;
}

void Mmu::fill(const Walk& w, Access access) {
  const u64 page = w.linear & ~memory::kPageMask;
  if (access == Access::kFetch) {
    tables_.fetch[unsigned(w.view)][fetch_index(page)] = {fetch_tag(page, space_), (w.physical & ~memory::kPageMask) - page};
    const u64 bit = fetched_bit(w.linear);
    fetched_pages_[is_upper(w.linear)][bit / 64] |= u64{1} << (bit % 64);
    return;
  }
  if (!w.host_page) return;
  fill_data(w.view, false, page, w.host_page);
  if (access == Access::kWrite) {
    const memory::PhysAddr at(w.physical);
    if (memory_.watched(at)) return;
    if (!memory_.dirty(at)) memory_.note_write(at, 1);
    fill_data(w.view, true, page, w.host_page);
    u32& writer = writers_[page_number(at)];
    const u32 slot = tlb_index(page) + 1;
    writer = writer == 0 || writer == slot ? slot : kManyWriters;
  }
}

void Mmu::note_table(memory::PhysAddr page, unsigned level, u64 base, unsigned entry_size) {
  const u64 number = page_number(page);
  TablePage& table = table_pages_[number];
  table.writes = 0;
  if (table.level == level && table.base() == base) return;
  if (table.level == 0) {
    table = {level, entry_size, 0, base >> kRegionShift};
    page_kind_[number] |= kTable;
    memory_.watch(page, observer_);
  } else {
    table.level = kSeveral;
    table.entry_size = std::min<unsigned>(table.entry_size, entry_size);
  }
}

void Mmu::watch_code(memory::PhysAddr page) {
  page_kind_[page_number(page)] |= kCode;
  memory_.watch(page, observer_);
}

// A page that was a page table is forgotten by noting the write; if the second walk goes through it, it is still one.
std::byte* Mmu::claim_stretch(u64 linear, u64 length, View view) {
  if (std::byte* host = probe(linear, Access::kWrite, view)) return host;
  if (length <= kBytesOfEntries || !x86::is_canonical(linear)) return nullptr;
  Translation t;
  if (!translate_unchanged(linear, Access::kWrite, view, t) || !t.host || code_watched(t.physical)) return nullptr;
  note_write(t.physical, length);
  if (!translate_unchanged(linear, Access::kWrite, view, t)) return nullptr;
  return probe(linear, Access::kWrite, view);
}

bool Mmu::code_watched(memory::PhysAddr page) const { return page_kind_[page_number(page)] & kCode; }

void Mmu::forget_kind(u64 page, u8 kind) {
  page_kind_[page] &= u8(~kind);
  if (!page_kind_[page]) memory_.unwatch(memory_.page_address(page), observer_);
}

void Mmu::watched_write(memory::PhysAddr from, u64 length, memory::Writer writer) {
  const u64 page = page_number(from);
  if ((page_kind_[page] & kCode) && code_observer_ && code_observer_->code_write(from, length)) {
    forget_kind(page, kCode);
  }
  if (writer == memory::Writer::kGuest && page == root_page_ && (from.value & memory::kPageMask) + length > memory::kPageSize / 2) {
    // The current upper half is about to be another one, unknown as yet.
    uppers_ = {};
    upper_space_ = 0;
    flush();
  }
  if ((page_kind_[page] & kTable) && writer == memory::Writer::kGuest) table_write(from, length, table_pages_[page]);
}

// Entries that were present may have been used to fill the TLB; others cannot have been.
void Mmu::table_write(memory::PhysAddr from, u64 length, TablePage& table) {
  const u64 page = page_number(from);
  const bool forget = length > kBytesOfEntries || ++table.writes > kWritesUntilForgotten;
  const std::byte* host = memory_.host_page(from);
  // What the upper half of a root says is known by content (find_upper_space), so a root counts as of the lower half.
  const bool of_lower =
      long_paging() && table.level != kSeveral && (table.level == kRootLevel || !is_upper(table.base()));
  const u64 offset = from.value & memory::kPageMask;
  const u64 end = forget ? memory::kPageSize : offset + length;
  bool above = false;  // an entry above the last level
  for (u64 slot = forget ? 0 : offset / table.entry_size; slot * table.entry_size < end; ++slot) {
    if (!(u8(host[slot * table.entry_size]) & kPresent)) continue;
    if (table.level == 1) {
      drop_linear(table.base() + (slot << memory::kPageShift));
    } else {
      above = true;
    }
  }
  if (above) {
    if (of_lower)
      flush_lower();
    else
      flush();
  }
  if (forget) {
    table = {};
    forget_kind(page, kTable);
  }
}

bool Mmu::note_entry_write(memory::PhysAddr at, u64 length, const std::byte*& unmapped) {
  const u64 page = page_number(at);
  const TablePage& table = table_pages_[page];
  const u64 in_entry = at.value & (sizeof(u64) - 1);
  unmapped = nullptr;
  if (page_kind_[page] == kTable) {
    if (table.level != 1 || table.entry_size != sizeof(u64) || in_entry + length > sizeof(u64)) return false;
    if (table.writes >= kWritesUntilForgotten) return false;  // all of its entries are about to be forgotten
    u64 entry;
    std::memcpy(&entry, memory_.host_page(at) + (at.value & memory::kPageMask) - in_entry, sizeof entry);
    if (entry & kPresent) unmapped = memory_.host_page(memory::PhysAddr(entry & kAddressField));
  } else if (page_kind_[page]) {
    return false;
  }
  note_write(at, length);
  return true;
}

void Mmu::fetch_dropped(u64 linear) {
  const u64 bit = fetched_bit(linear);
  const bool upper = is_upper(linear);
  if (!(fetched_pages_[upper][bit / 64] >> (bit % 64) & 1)) return;
  changed(upper);
  for (FetchTable& table : tables_.fetch) table.fill({});
  if (code_observer_) code_observer_->fetch_changed();
}

void Mmu::drop_linear(u64 linear) {
  const unsigned index = tlb_index(linear);
  for (unsigned view = 0; view < kViews; ++view) {
    for (const bool write : {false, true}) {
      if (((tables_.data[view].tags[write][index] ^ linear) & ~memory::kPageMask) == 0) clear_slot(view, write, index);
    }
    FetchEntry& fetch = tables_.fetch[view][fetch_index(linear)];
    if (((fetch.tag ^ linear) & ~memory::kPageMask) == 0) fetch = {};
  }
  fetch_dropped(linear);
}

void Mmu::forget_write_access() {
  ++revocations_;
  for (std::vector<u32>& filled : filled_) {
    for (const u32 slot : filled) {
      const u32 table = slot / kTlbEntries;
      if (table % 2) clear_slot(table / 2, true, slot % kTlbEntries);
    }
    std::erase_if(filled, [](u32 slot) { return slot / kTlbEntries % 2; });
  }
}

void Mmu::forget_write_access(memory::PhysAddr page) {
  u32& writer = writers_[page_number(page)];
  if (writer == 0) return;
  ++revocations_;
  const u64 host = u64(memory_.host_page(page));
  const unsigned first = writer == kManyWriters ? 0 : writer - 1;
  const unsigned last = writer == kManyWriters ? kTlbEntries - 1 : writer - 1;
  for (unsigned view = 0; view < kViews; ++view) {
    for (unsigned index = first; index <= last; ++index) {
      if (tables_.data[view].hosts[index] == host) clear_slot(view, true, index);
    }
  }
  writer = 0;
}

}  // namespace pollux::cpu::mmu
