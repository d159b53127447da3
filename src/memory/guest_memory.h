// Guest-physical memory: one host region from guest-physical 0 up to size(), with a hole of the guest's address
// space below 4 GiB left to devices.
//
// Layout (as on a PC): RAM offset [0, low_bytes) is at guest-physical 0; the rest is at 4 GiB and up.
//
// Invariants
//  1. Every write, by a processor or by a device, marks its page dirty before or with the write. A processor may
//     write through host_page() without telling only while dirty(page) holds and watched(page) does not.
//  2. When a page becomes clean (digest) or watched, every write observer is told to forget what it caches of it.
//  3. A page is watched while any observer watches it: each has a bit of its own, so that one processor's unwatch
//     takes nothing from another.
//  4. digest() is a function of the contents alone: not of the history, nor of when it was asked before.
//
// Used by processors (through their MMU), devices (DMA) and boot loaders. Not thread-safe: a machine is one thread's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/early_stop.h"
#include "base/result.h"
#include "base/visit.h"
#include "memory/address.h"

namespace pollux::memory {

// Zero-filled host memory, page-aligned, freed by its owner's deleter. host/memory_region makes them by mmap; tests
// use heap_region().
struct Region {
  std::shared_ptr<std::byte> base;
  u64 size = 0;
};
Region heap_region(u64 size);

// Who writes: the guest and its devices, or a processor's page walk that sets accessed and dirty bits.
enum class Writer : u8 { kGuest, kWalk };

// Who must know when a page stops being freely writable or its code changes: the processors.
class WriteObserver {
 public:
  virtual ~WriteObserver() = default;
  // A page that this observer watches (it has page tables or decoded code) is about to be written in
  // [from, from + length). It may unwatch the page meanwhile.
  virtual void watched_write(PhysAddr from, u64 length, Writer writer) = 0;
  // All host addresses handed out for writing are void: some pages are clean again.
  virtual void forget_write_access() = 0;
  // The same for one page, which is watched from now on.
  virtual void forget_write_access(PhysAddr /*page*/) { forget_write_access(); }
};

class GuestMemory {
 public:
  static constexpr u64 kLowLimit = 0xC000'0000;   // RAM below this address at most
  static constexpr u64 kHighBase = 0x1'0000'0000;  // where the rest of RAM is

  // region.size: a multiple of 4 KiB, at least 1 MiB.
  explicit GuestMemory(Region region);

  u64 size() const { return region_.size; }
  u64 low_bytes() const { return low_bytes_; }
  u64 high_bytes() const { return region_.size - low_bytes_; }
  bool contains(PhysAddr at, u64 length) const;

  // Host address of the page frame that holds at, or nullptr when no RAM is there. Writing through it: invariant 1.
  std::byte* host_page(PhysAddr at) const;

  // Copies; the range may cross pages. False when any byte of it is not RAM (nothing is copied then).
  bool read(PhysAddr from, std::span<std::byte> to) const;
  bool write(PhysAddr to, ByteSpan from);
  template <class T>
  bool load(PhysAddr from, T& value) const {
    return read(from, std::as_writable_bytes(std::span(&value, 1)));
  }
  template <class T>
  bool store(PhysAddr to, const T& value) {
    return write(to, std::as_bytes(std::span(&value, 1)));
  }

  // Marks [at, at + length) within one page as about to be written; tells the observers that watch it.
  void note_write(PhysAddr at, u64 length, Writer writer = Writer::kGuest);
  bool dirty(PhysAddr at) const { return flags_[page_number(at)] & kDirty; }

  // An observer has a number, given when it is added, by which it watches pages. At most kMaxObservers.
  static constexpr unsigned kMaxObservers = 31;
  unsigned add_observer(WriteObserver* observer);
  // Watched pages: a write to them must go through note_write.
  void watch(PhysAddr page, unsigned observer);
  void unwatch(PhysAddr page, unsigned observer);
  bool watched(PhysAddr at) const { return flags_[page_number(at)] & kWatched; }

  // Digest of all contents; rehashes the pages written since the last call and makes them clean.
  u64 digest();
  // Does a part of what digest() would have to: rehashes pages until none is dirty (true) or early asks for a stop.
  bool rehash(const EarlyStop& early);
  // Digest of one page (page number in RAM order), for finding the first page that differs.
  u64 page_digest(u64 page) const;
  u64 pages() const { return region_.size / kPageSize; }
  // RAM-order page number; at must be RAM.
  u64 page_number(PhysAddr at) const {
    return (at.value < low_bytes_ ? at.value : at.value - kHighBase + low_bytes_) >> kPageShift;
  }
  PhysAddr page_address(u64 page) const;

  // Saves or restores all pages (runs of zero pages take no room).
  void visit(Visitor& v);

 private:
  static constexpr u32 kDirty = 1;
  static constexpr u32 kWatched = ~kDirty;  // one bit an observer
  static constexpr u32 watch_bit(unsigned observer) { return 2u << observer; }

  Region region_;
  u64 low_bytes_ = 0;
  std::vector<u32> flags_;          // one a page
  std::vector<u64> page_hashes_;    // one a page; 0 for a page of zeroes
  std::vector<u32> dirty_pages_;    // the pages with kDirty, in order of first write
  u64 contents_hash_ = 0;           // sum of page_hashes_
  std::vector<WriteObserver*> observers_;
};

}  // namespace pollux::memory
