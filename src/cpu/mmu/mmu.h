// Translation of linear to guest-physical addresses, the software TLB, and the watch over pages that hold page tables
// or decoded code. One for each processor; used by every engine.
//
// The rule of translation (docs/determinism.md, "Translation"): the guest sees a processor without any TLB. Each
// access behaves as if it walked the page tables at that moment: a change of a page-table entry takes effect with the
// next access, INVLPG, INVPCID and global pages have nothing to do, and accessed and dirty bits are set whenever they
// are found clear. Real processors may use stale translations until they are invalidated and software may not rely on
// them, so this is one of the permitted behaviours; it is independent of the TLB's size and of the engine.
//
// Invariants
//  1. A page-table page through which an entry of the TLB was filled is watched (GuestMemory::watch). A write to it,
//     by whichever processor or device, drops what was derived from the overwritten entries before the write happens.
//     A walk of another processor that sets A and D bits drops nothing: the entries stay true.
//  2. The write tables hold only pages that are dirty and not watched, with the D bit set in their entry.
//  3. An entry exists only if the walk that filled it would still succeed, with the A bits set.
//  4. So does what is known of the tables of the last level (LastTable), up to these tables.
//  5. Faults are values: translate() returns false and fills a Fault. Nothing is changed then, save A bits of upper
//     levels never: A and D bits are set only by walks that succeed.
//
// Not here: segmentation, canonical checks (cpu/interpret), device memory (the caller asks the bus when host is null).
// Source: Intel SDM vol. 3, chapter 4.
#pragma once

#include <memory>
#include <vector>

#include "cpu/mmu/tlb.h"
#include "memory/guest_memory.h"
#include "x86/control.h"
#include "x86/faults.h"

namespace pollux::cpu::mmu {

inline constexpr unsigned kPhysicalBits = 40;
inline constexpr u64 kPhysicalMask = (u64{1} << kPhysicalBits) - 1;

struct Translation {
  memory::PhysAddr physical;
  std::byte* host = nullptr;  // of the byte itself; nullptr: not RAM
};

// Told when decoded code is about to become wrong.
class CodeObserver {
 public:
  virtual ~CodeObserver() = default;
  // [from, from + length) within one page is about to be written. Returns true when the page needs no watch any
  // more (no code of it is kept).
  virtual bool code_write(memory::PhysAddr from, u64 length) = 0;
  // What a linear address means for instruction fetch may have changed: forget all that is keyed by linear address.
  virtual void fetch_changed() = 0;
};

class Mmu final : public memory::WriteObserver {
 public:
  explicit Mmu(memory::GuestMemory& memory);

  void set_code_observer(CodeObserver* observer) { code_observer_ = observer; }

  // After any change of CR0, CR3, CR4, EFER. pdpte: for PAE paging, the four registers loaded by load_pdptes().
  void set_control(u64 cr0, u64 cr3, u64 cr4, u64 efer);
  // PAE paging only: reads and checks the four page-directory-pointer entries (SDM vol. 3, 4.4.1). False: #GP(0).
  bool load_pdptes(u64 cr3);
  std::array<u64, 4>& pdptes() { return pdptes_; }

  // Translates one byte address; on success the page may be entered into the TLB. False: fault is filled (#PF).
  // The address must be canonical.
  bool translate(u64 linear, Access access, View view, Translation& out, x86::Fault& fault);
  // For who may yet begin the instruction again, which could read or execute those bits: the same, but false, with
  // nothing changed, also where A or D bits would be set.
  bool translate_unchanged(u64 linear, Access access, View view, Translation& out);
  // Whether that would succeed.
  bool finds_unchanged(u64 linear, Access access, View view) const;

  // The TLB's answer, if it has one: the host address of linear. Reads and writes only.
  std::byte* probe(u64 linear, Access access, View view) const {
    return tlb(view).find(linear, 1, access == Access::kWrite);
  }

  // Where a stretch within a page is in host memory, all of which is then written: nothing can tell this from writing it
  // word by word. nullptr: it faults, is not RAM, or may be code or page tables that are in use.
  std::byte* claim_stretch(u64 linear, u64 length, View view);

  // A RAM page that is about to be written at [at, at + length), by the slow path. Always call it before writing.
  void note_write(memory::PhysAddr at, u64 length) { memory_.note_write(at, length); }

  // The same for a word that is about to be written in page tables, where all that this may change is what one linear
  // page means here. unmapped: the host page that it meant, or nullptr. False: nothing was done.
  bool note_entry_write(memory::PhysAddr at, u64 length, const std::byte*& unmapped);

  // The code cache keeps code of this page from now on: writes to it are reported.
  void watch_code(memory::PhysAddr page);

  const Tlb& tlb(View view) const { return tables_.data[unsigned(view)]; }
  const Tlb& empty_tlb() const { return tables_.empty; }
  // What fetching depends on, for the lower and the upper half of the linear addresses: an equal number here and an equal
  // count of changes mean that every linear address of that half means what it meant. Address spaces whose roots have
  // the same upper half share its number, as the processes of a kernel do. Numbers are below 8192.
  u64 fetch_space(bool upper) const { return upper && upper_space_ ? 0x1000 | upper_space_ : space_; }
  u64 fetch_changes(bool upper) const { return fetch_changes_[upper]; }
  // Changes when any of them may have.
  u64 fetch_version() const { return fetch_version_; }

  void flush();
  // Grows whenever an entry of a write table is taken back because its page is watched from now on, or clean again.
  u64 revocations() const { return revocations_; }

  // memory::WriteObserver
  void watched_write(memory::PhysAddr from, u64 length, memory::Writer writer) override;
  void forget_write_access() override;
  void forget_write_access(memory::PhysAddr page) override;

 private:
  struct Tables {
    std::array<Tlb, kViews> data;
    std::array<FetchTable, kViews> fetch;
    Tlb empty;
  };
  // What is known of a watched page; there is one for each page of RAM. level 1: its entries map 4 KiB pages.
  struct TablePage {
    u64 level : 3 = 0;  // 0: not a page table; kSeveral
    u64 entry_size : 4 = 8;
    u64 writes : 9 = 0;   // since the last walk through it
    u64 region : 43 = 0;  // where its entry 0 maps, when the page is used in one place only: linear / 2 MiB

    u64 base() const { return region << kRegionShift; }
  };
  static_assert(sizeof(TablePage) == 8);
  struct Walk;  // walk.cc
  // Where the table of the last level is for 2 MiB of linear addresses, with the rights of the levels above it, whose
  // entries have their A bits set. The paging-structure cache of 4-level paging (SDM vol. 3, 4.10.3).
  struct LastTable {
    u64 region = ~u64{0};  // linear / 2 MiB
    u64 table = 0;
    bool user = false, writable = false, no_execute = false;
  };

  const FetchEntry* probe_fetch(u64 linear, View view) const {
    const FetchEntry& e = tables_.fetch[unsigned(view)][fetch_index(linear)];
    return e.tag == fetch_tag(linear, space_) ? &e : nullptr;
  }
  bool walk(Walk& w) const;
  bool step(Walk& w, u64 table, unsigned level, unsigned index_bits, unsigned entry_size, bool may_be_large) const;
  bool permitted(Walk& w) const;
  static u64 wanted_entry(const Walk& w, unsigned step);
  bool commit_sets_bits(const Walk& w) const;
  bool code_watched(memory::PhysAddr page) const;
  void commit(Walk& w);
  const LastTable& last_table(u64 linear) const {
    return last_tables_[linear >> 63][(linear >> kRegionShift) % last_tables_[0].size()];
  }
  void keep_last_table(const Walk& w);
  void finish(Walk& w, Translation& out);
  void fill(const Walk& w, Access access);
  void fill_data(View view, bool write, u64 page, std::byte* host);
  void clear_slot(unsigned view, bool write, unsigned index);
  void clear_data(bool upper);
  void clear_data() { clear_data(false), clear_data(true); }
  void new_space();
  void flush_lower();
  void changed(bool upper);
  void set_root(u64 root);
  u64 find_upper_space(const std::byte* root);
  void note_table(memory::PhysAddr page, unsigned level, u64 base, unsigned entry_size);
  void table_write(memory::PhysAddr from, u64 length, TablePage& table);
  void drop_linear(u64 linear);
  void forget_kind(u64 page, u8 kind);
  void fetch_dropped(u64 linear);
  bool paging() const { return cr0_ & x86::kCr0Pg; }
  bool long_paging() const { return efer_ & x86::kEferLma; }
  bool no_execute() const { return efer_ & x86::kEferNxe; }
  u64 page_number(memory::PhysAddr at) const {
    return (at.value < memory::GuestMemory::kLowLimit ? at.value
                                                      : at.value - memory::GuestMemory::kHighBase + memory_.low_bytes()) >>
           memory::kPageShift;
  }

  memory::GuestMemory& memory_;
  unsigned observer_;                    // this one's number there
  CodeObserver* code_observer_ = nullptr;
  Tables tables_;
  // The slots of the data tables that hold an entry of the lower or the upper half, and perhaps some that do no more:
  // table number and index.
  std::array<std::vector<u32>, 2> filled_;
  std::vector<u32> writers_;             // by RAM page: the write tables' slot of it, plus one; kManyWriters
  std::vector<u8> page_kind_;            // by RAM page: kTable, kCode
  std::vector<TablePage> table_pages_;   // by RAM page
  std::array<u64, 4> pdptes_{};
  u64 cr0_ = 0, cr3_ = 0, cr4_ = 0, efer_ = 0;
  u64 space_ = 0, next_space_ = 1;
  // Upper halves of roots by content. 0: the current mode has none of its own.
  struct Upper { std::array<u64, 256> entries{}; u64 mode = 0; u64 space = 0; };
  std::array<Upper, 4> uppers_{};
  unsigned next_upper_ = 0;
  u64 upper_space_ = 0, next_upper_space_ = 1;
  u64 root_page_ = ~u64{0};              // RAM page of the current root, which is watched
  u64 revocations_ = 0;
  u64 root_ = ~u64{0}, mode_ = 0;        // of the data tables
  static constexpr unsigned kRegionShift = memory::kPageShift + 9;
  std::array<std::array<LastTable, 32>, 2> last_tables_{};  // [upper half]
  struct Root { u64 cr3 = ~u64{0}; u64 mode = 0; u64 space = 0; };
  std::array<Root, 16> roots_{};
  unsigned next_root_ = 0;
  std::array<u64, 2> fetch_changes_{};
  u64 fetch_version_ = 0;
  // Bit set by hash, for each half: linear pages fetched from since the last change.
  static constexpr unsigned kFetchedBits = 1 << 16;
  std::array<std::array<u64, kFetchedBits / 64>, 2> fetched_pages_{};
};

}  // namespace pollux::cpu::mmu
