// Design R13 as a property: however the world orders and delays completions, the guest sees what it would see if the
// disk did each request at once, in guest order.
#include <gtest/gtest.h>

#include "base/random.h"
#include "device/virtio/block.h"
#include "device/virtio/driver_model.h"

namespace pollux::device::virtio {
namespace {

using door::DiskOperation;
using door::DiskOutput;
using memory::PhysAddr;
using test::DriverQueue;

constexpr u64 kSectors = 64;  // few, so that requests meet
constexpr u64 kFlush = 1 << 9, kDiscard = 1 << 13, kWriteZeroes = 1 << 14;

class OrderedDisk {
 public:
  explicit OrderedDisk(u64 seed) : random_(seed) {
    bus_.add(1, block_);
    registers_.emplace(bus_, 1);
    EXPECT_TRUE(registers_->negotiate(kVersion1 | kEventIndex | kFlush | kDiscard | kWriteZeroes));
    registers_->enable_msix();
    registers_->enable_queue(0, queue_);
    registers_->driver_ok();
  }

  void step() {
    if (random_.below(2) == 0 && queue_.free_descriptors() >= 3 && !free_slots_.empty()) {
      issue();
      if (random_.below(2)) registers_->ring(0);
    } else {
      registers_->ring(0);
      finish_one();
    }
    no_two_outstanding_overlap();
  }
  void drain() {
    registers_->ring(0);
    while (!block_.outstanding().empty()) finish_one();
    EXPECT_TRUE(expected_.empty());
    EXPECT_EQ(world_disk_, model_disk_);
  }

 private:
  struct Expected {
    u64 slot, sectors, first;
    bool read;
    std::vector<u8> bytes;  // one a sector, for a read
  };

  void issue() {
    const u64 slot = free_slots_.back();
    free_slots_.pop_back();
    const u64 sectors = 1 + random_.below(8);
    const u64 first = random_.below(kSectors - sectors + 1);
    const u64 header = 0x20000 + slot * 64;
    const u64 buffer = 0x100000 + slot * 0x1000;
    const u32 kind = u32(random_.below(4));
    const u32 type = std::array<u32, 4>{0, 1, 13, 4}[kind];
    auto& memory = machine_.memory();
    memory.store(PhysAddr(header), type);
    memory.store(PhysAddr(header + 8), type == 13 ? 0 : first);
    memory.store(PhysAddr(header + 16), u8{0xee});
    Expected expected{slot, sectors, first, kind == 0, {}};
    std::vector<DriverQueue::Buffer> chain{{header, 16, false}};
    if (kind == 0) {
      expected.bytes.assign(model_disk_.begin() + i64(first), model_disk_.begin() + i64(first + sectors));
      chain.push_back({buffer, u32(sectors * 512), true});
    } else if (kind == 1) {
      ++stamp_;
      memory.write(PhysAddr(buffer), Bytes(sectors * 512, std::byte(stamp_)));
      for (u64 i = 0; i < sectors; ++i) model_disk_[first + i] = stamp_;
      chain.push_back({buffer, u32(sectors * 512), false});
    } else if (kind == 2) {
      memory.store(PhysAddr(header + 32), first);
      memory.store(PhysAddr(header + 40), u32(sectors));
      memory.store(PhysAddr(header + 44), u32{0});
      for (u64 i = 0; i < sectors; ++i) model_disk_[first + i] = 0;
      chain.push_back({header + 32, 16, false});
    }
    chain.push_back({header + 16, 1, true});
    expected_[queue_.add(chain)] = expected;
  }

  void finish_one() {
    const auto all = block_.outstanding();
    if (all.empty()) return;
    const DiskOutput& output = all[random_.below(all.size())];
    door::DiskCompletionInput done{0, output.request, door::DiskStatus::kOk, {}};
    const u64 first = output.offset / 512, sectors = output.length / 512;
    for (u64 i = 0; i < sectors; ++i) {
      u8& sector = world_disk_[first + i];
      if (output.operation == DiskOperation::kRead) done.data.insert(done.data.end(), 512, std::byte(sector));
      if (output.operation == DiskOperation::kWrite) sector = u8(output.data[i * 512]);
      if (output.operation == DiskOperation::kWriteZeroes) sector = 0;
    }
    block_.complete(done);
    for (const auto& used : queue_.take_used()) check(expected_.extract(used.head).mapped());
  }

  void check(const Expected& expected) {
    u8 status = 0xff;
    machine_.memory().load(PhysAddr(0x20000 + expected.slot * 64 + 16), status);
    EXPECT_EQ(status, 0);
    for (u64 i = 0; i < expected.bytes.size(); ++i) {
      u8 byte = 0;
      machine_.memory().load(PhysAddr(0x100000 + expected.slot * 0x1000 + i * 512), byte);
      EXPECT_EQ(byte, expected.bytes[i]) << "sector " << expected.first + i;
    }
    free_slots_.push_back(expected.slot);
  }

  void no_two_outstanding_overlap() {
    const auto all = block_.outstanding();
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const bool reads = all[i].operation == DiskOperation::kRead && all[j].operation == DiskOperation::kRead;
        const bool overlap = all[i].offset < all[j].offset + all[j].length && all[j].offset < all[i].offset + all[i].length;
        EXPECT_TRUE(reads || !overlap);
      }
    }
  }

  Random random_;
  test::FakeMachine machine_;
  Block block_{machine_, machine_, {0, kSectors * 512, false, ""}};
  PciBus bus_{0xe000'0000, 0xfec0'0000};
  std::optional<test::DriverRegisters> registers_;
  DriverQueue queue_{machine_.memory(), 0x10000, 64};
  std::vector<u64> free_slots_ = [] {
    std::vector<u64> slots;
    for (u64 i = 0; i < 32; ++i) slots.push_back(i);
    return slots;
  }();
  std::map<u16, Expected> expected_;
  std::array<u8, kSectors> model_disk_{}, world_disk_{};
  u8 stamp_ = 0;
};

TEST(BlockOrder, TheGuestSeesItsRequestsInItsOwnOrderWhateverTheWorldDoes) {
  for (u64 seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OrderedDisk disk(seed);
    for (int i = 0; i < 400; ++i) disk.step();
    disk.drain();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace pollux::device::virtio
