#include "cpu/check/journal.h"

#include <cstring>

namespace pollux::cpu::check {

using memory::kPageMask;
using memory::kPageSize;
using memory::PhysAddr;

namespace {

constexpr u64 kLine = 64;

}  // namespace

void compare_pages(const std::byte* a, const std::byte* b, const std::function<void(u64)>& different) {
  for (u64 line = 0; line < kPageSize; line += kLine) {
    if (std::memcmp(a + line, b + line, kLine) == 0) continue;
    for (u64 at = line; at < line + kLine; at += kWord) {
      if (std::memcmp(a + at, b + at, kWord) != 0) different(at);
    }
  }
}

PageJournal::PageJournal(memory::GuestMemory& memory)
    : memory_(memory), observer_(memory.add_observer(this)), run_of_(memory.pages()) {
  for (u64 page = 0; page < memory.pages(); ++page) memory.watch(memory.page_address(page), observer_);
}

void PageJournal::watch_again() {
  for (const PhysAddr page : open_) memory_.watch(page, observer_);
  open_.clear();
}

void PageJournal::begin() {
  watch_again();
  running_ = true;
  ++run_;
}

std::vector<WrittenPage> PageJournal::end() {
  running_ = false;
  return std::exchange(written_, {});
}

void PageJournal::recycle(std::vector<WrittenPage>& pages) {
  for (WrittenPage& page : pages) {
    spare_.push_back(std::move(page.before));
    if (page.after) spare_.push_back(std::move(page.after));
  }
  pages.clear();
}

std::unique_ptr<PageBytes> PageJournal::copy(PhysAddr page) {
  if (spare_.empty()) spare_.push_back(std::make_unique<PageBytes>());
  std::unique_ptr<PageBytes> bytes = std::move(spare_.back());
  spare_.pop_back();
  std::memcpy(bytes->data(), memory_.host_page(page), kPageSize);
  return bytes;
}

void PageJournal::take_back(WrittenPage& page) {
  page.after = copy(page.at);
  put_back(page);
}

void PageJournal::put_back(const WrittenPage& page) {
  std::byte* host = memory_.host_page(page.at);
  compare_pages(host, page.before->data(), [&](u64 at) {
    memory_.note_write(page.at + at, kWord);
    std::memcpy(host + at, page.before->data() + at, kWord);
  });
}

void PageJournal::begin_device() {
  watch_again();
  in_device_ = true;
}

std::vector<DeviceWrite> PageJournal::end_device() {
  in_device_ = false;
  std::vector<DeviceWrite> writes;
  for (const WrittenPage& page : by_device_) {
    const std::byte* host = memory_.host_page(page.at);
    compare_pages(host, page.before->data(), [&](u64 at) {
      writes.push_back({page.at + at, Bytes(host + at, host + at + kWord)});
    });
  }
  recycle(by_device_);
  return writes;
}

void PageJournal::watched_write(PhysAddr from, u64, memory::Writer) {
  const PhysAddr page(from.value & ~kPageMask);
  memory_.unwatch(page, observer_);
  open_.push_back(page);
  if (!running_) return;
  u32& run = run_of_[memory_.page_number(page)];
  if (run != run_) written_.push_back({page, copy(page), nullptr});
  run = run_;
  if (in_device_) by_device_.push_back({page, copy(page), nullptr});
}

}  // namespace pollux::cpu::check
