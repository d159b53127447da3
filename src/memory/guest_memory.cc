#include "memory/guest_memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/check.h"
#include "base/checksum.h"

namespace pollux::memory {

namespace {

bool all_zero(const std::byte* page) {
  u64 any = 0;
  for (u64 i = 0; i < kPageSize; i += 64) {
    u64 line[8];
    std::memcpy(line, page + i, sizeof line);
    any = line[0] | line[1] | line[2] | line[3] | line[4] | line[5] | line[6] | line[7];
    if (any) return false;
  }
  return true;
}

u64 hash_page(const std::byte* page, u64 number) {
  if (all_zero(page)) return 0;
  return checksum({page, kPageSize}, number + 1);
}

}  // namespace

Region heap_region(u64 size) {
  const u64 rounded = (size + kPageMask) & ~kPageMask;
  auto* base = static_cast<std::byte*>(std::aligned_alloc(kPageSize, rounded));
  POLLUX_CHECK(base, "no memory for a test machine");
  std::memset(base, 0, rounded);
  return {std::shared_ptr<std::byte>(base, [](std::byte* p) { std::free(p); }), rounded};
}

GuestMemory::GuestMemory(Region region) : region_(std::move(region)) {
  POLLUX_CHECK(region_.base && region_.size >= (1 << 20) && region_.size % kPageSize == 0,
               "guest memory wants whole pages, at least 1 MiB");
  low_bytes_ = std::min(region_.size, kLowLimit);
  flags_.resize(pages());
  page_hashes_.resize(pages());
}

bool GuestMemory::contains(PhysAddr at, u64 length) const {
  const u64 end = at.value + length;
  if (end < at.value) return false;
  if (end <= low_bytes_) return true;
  return at.value >= kHighBase && end <= kHighBase + high_bytes();
}

std::byte* GuestMemory::host_page(PhysAddr at) const {
  if (!contains(PhysAddr(at.value & ~kPageMask), kPageSize)) return nullptr;
  return region_.base.get() + (page_number(at) << kPageShift);
}

PhysAddr GuestMemory::page_address(u64 page) const {
  const u64 offset = page << kPageShift;
  return PhysAddr(offset < low_bytes_ ? offset : offset - low_bytes_ + kHighBase);
}

bool GuestMemory::read(PhysAddr from, std::span<std::byte> to) const {
  if (!contains(from, to.size())) return false;
  if (to.empty()) return true;
  const u64 offset = from.value < low_bytes_ ? from.value : from.value - kHighBase + low_bytes_;
  std::memcpy(to.data(), region_.base.get() + offset, to.size());
  return true;
}

bool GuestMemory::write(PhysAddr to, ByteSpan from) {
  if (!contains(to, from.size())) return false;
  while (!from.empty()) {
    const u64 in_page = std::min<u64>(from.size(), kPageSize - (to.value & kPageMask));
    note_write(to, in_page);
    std::memcpy(host_page(to) + (to.value & kPageMask), from.data(), in_page);
    to += in_page;
    from = from.subspan(in_page);
  }
  return true;
}

void GuestMemory::note_write(PhysAddr at, u64 length, Writer writer) {
  const u64 page = page_number(at);
  u32& flags = flags_[page];
  if (!(flags & kDirty)) {
    flags |= kDirty;
    dirty_pages_.push_back(u32(page));
  }
  // By a copy: an observer may unwatch.
  for (unsigned watchers = flags >> 1; watchers; watchers &= watchers - 1) {
    observers_[unsigned(std::countr_zero(watchers))]->watched_write(at, length, writer);
  }
}

unsigned GuestMemory::add_observer(WriteObserver* observer) {
  POLLUX_CHECK(observers_.size() < kMaxObservers, "an observer has a bit in each page's flags");
  observers_.push_back(observer);
  return unsigned(observers_.size()) - 1;
}

void GuestMemory::watch(PhysAddr page, unsigned observer) {
  u32& flags = flags_[page_number(page)];
  const bool new_to_all = !(flags & kWatched);
  flags |= watch_bit(observer);
  if (!new_to_all) return;
  for (WriteObserver* each : observers_) each->forget_write_access(page);
}

void GuestMemory::unwatch(PhysAddr page, unsigned observer) { flags_[page_number(page)] &= ~watch_bit(observer); }

u64 GuestMemory::digest() {
  rehash({});
  return contents_hash_;
}

bool GuestMemory::rehash(const EarlyStop& early) {
  constexpr std::size_t kPagesToLook = 16;  // a few microseconds
  const std::size_t dirty = dirty_pages_.size();
  while (!dirty_pages_.empty()) {
    if ((dirty - dirty_pages_.size()) % kPagesToLook == 0 && early.is_asked()) break;
    const u32 page = dirty_pages_.back();
    dirty_pages_.pop_back();
    const u64 hash = hash_page(region_.base.get() + (u64(page) << kPageShift), page);
    contents_hash_ += hash - page_hashes_[page];
    page_hashes_[page] = hash;
    flags_[page] &= ~kDirty;
  }
  if (dirty_pages_.size() < dirty) {
    for (WriteObserver* observer : observers_) observer->forget_write_access();
  }
  return dirty_pages_.empty();
}

u64 GuestMemory::page_digest(u64 page) const {
  return hash_page(region_.base.get() + (page << kPageShift), page);
}

void GuestMemory::visit(Visitor& v) {
  // Zero pages are skipped: a bitmap of the others, then their bytes.
  Bytes present((pages() + 7) / 8);
  if (!v.restoring()) {
    for (u64 page = 0; page < pages(); ++page) {
      if (!all_zero(region_.base.get() + (page << kPageShift))) present[page / 8] |= std::byte(1 << (page % 8));
    }
  }
  v.sized("present", present);
  present.resize((pages() + 7) / 8);
  for (u64 page = 0; page < pages(); ++page) {
    const bool here = u8(present[page / 8]) >> (page % 8) & 1;
    std::byte* host = region_.base.get() + (page << kPageShift);
    if (v.restoring()) {
      note_write(page_address(page), kPageSize);
      if (!here) std::memset(host, 0, kPageSize);
    }
    if (here) v.raw("page", {host, kPageSize});
  }
}

}  // namespace pollux::memory
