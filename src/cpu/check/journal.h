// Which pages of guest memory are written during a run, and what they held before: so that memory can be put back, and
// two runs from the same memory compared.
//
// It watches pages like a processor's MMU does: the first write to a page is told, the following ones are free. The
// same for what a device writes during a bus access, which is told apart as changes that can be made again.
//
// Invariants
//  1. A page is watched by the journal unless it is in open_: its next write is told.
//  2. written() has each page once, with its contents at begin().
// Used by the checker only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "memory/guest_memory.h"

namespace pollux::cpu::check {

inline constexpr u64 kWord = 8;
// Calls different(offset) for each word of two pages that differs.
void compare_pages(const std::byte* a, const std::byte* b, const std::function<void(u64)>& different);

using PageBytes = std::array<std::byte, memory::kPageSize>;

// A page that was written.
struct WrittenPage {
  memory::PhysAddr at;
  std::unique_ptr<PageBytes> before;
  std::unique_ptr<PageBytes> after;  // where it was asked for
};

// Bytes that a device wrote; within one page.
struct DeviceWrite {
  memory::PhysAddr at;
  Bytes bytes;
};

class PageJournal final : public memory::WriteObserver {
 public:
  explicit PageJournal(memory::GuestMemory& memory);
  PageJournal(const PageJournal&) = delete;

  // From now on pages are kept as they are before they are written.
  void begin();
  // No more. The pages in the order of their first write.
  std::vector<WrittenPage> end();
  // Takes buffers back that are not needed any more.
  void recycle(std::vector<WrittenPage>& pages);

  // Keeps the page as it is now, and puts it back to what it held before; processors are told of each word that changes.
  void take_back(WrittenPage& page);
  void put_back(const WrittenPage& page);

  // Between begin() and end(): what is written between these two is what a device writes.
  void begin_device();
  std::vector<DeviceWrite> end_device();

  // memory::WriteObserver
  void watched_write(memory::PhysAddr from, u64 length, memory::Writer writer) override;
  void forget_write_access() override {}
  void forget_write_access(memory::PhysAddr) override {}

 private:
  std::unique_ptr<PageBytes> copy(memory::PhysAddr page);
  void watch_again();

  memory::GuestMemory& memory_;
  unsigned observer_;
  bool running_ = false;   // between begin() and end()
  bool in_device_ = false;
  std::vector<memory::PhysAddr> open_;    // pages that are not watched
  std::vector<WrittenPage> written_;
  std::vector<WrittenPage> by_device_;
  std::vector<u32> run_of_;               // by page: the run in which it was written last
  u32 run_ = 0;
  std::vector<std::unique_ptr<PageBytes>> spare_;
};

}  // namespace pollux::cpu::check
