#include "device/virtio/block.h"

#include <gtest/gtest.h>

#include "device/virtio/driver_model.h"

namespace pollux::device::virtio {
namespace {

using door::DiskOperation;
using door::DiskOutput;
using door::DiskStatus;
using memory::PhysAddr;
using test::DriverQueue;

constexpr u64 kFlush = 1 << 9, kReadOnly = 1 << 5, kDiscard = 1 << 13, kWriteZeroes = 1 << 14;
constexpr u64 kAll = kVersion1 | kIndirectDescriptors | kEventIndex | kFlush | kDiscard | kWriteZeroes;
constexpr u64 kDiskBytes = 16 << 20;
constexpr u8 kUnanswered = 0xee;

class BlockTest : public testing::Test {
 protected:
  void start(u64 features = kAll, BlockSettings settings = {3, kDiskBytes, false, "serial-7"}) {
    block = std::make_unique<Block>(machine, machine, settings);
    bus = std::make_unique<PciBus>(0xe000'0000, 0xfec0'0000);
    bus->add(1, *block);
    registers = std::make_unique<test::DriverRegisters>(*bus, 1);
    restart(features);
  }
  void restart(u64 features = kAll) {
    ASSERT_TRUE(registers->negotiate(features));
    registers->enable_msix();
    queue = DriverQueue(machine.memory(), 0x10000, 128);
    std::vector<u8> zero(queue.end() - 0x10000);
    machine.memory().write(PhysAddr(0x10000), std::as_bytes(std::span(zero)));
    registers->enable_queue(0, queue);
    registers->driver_ok();
  }
  // Header and status live in slots of their own.
  u64 header(u32 type, u64 sector) {
    const u64 at = 0x20000 + 32 * slot++;
    machine.memory().store(PhysAddr(at), type);
    machine.memory().store(PhysAddr(at + 8), sector);
    machine.memory().store(PhysAddr(at + 16), kUnanswered);
    return at;
  }
  u8 status(u64 header_at) {
    u8 value = 0;
    machine.memory().load(PhysAddr(header_at + 16), value);
    return value;
  }
  u64 request(u32 type, u64 sector, std::vector<DriverQueue::Buffer> data = {}) {
    const u64 at = header(type, sector);
    data.insert(data.begin(), {at, 16, false});
    data.push_back({at + 16, 1, true});
    queue.add(data);
    return at;
  }
  u64 read(u64 sector, u64 at, u32 bytes) { return request(0, sector, {{at, bytes, true}}); }
  u64 write(u64 sector, u64 at, u32 bytes) { return request(1, sector, {{at, bytes, false}}); }
  u64 range(u32 type, u64 sector, u32 sectors, u32 flags = 0) {
    const u64 at = 0x60000;
    machine.memory().store(PhysAddr(at), sector);
    machine.memory().store(PhysAddr(at + 8), sectors);
    machine.memory().store(PhysAddr(at + 12), flags);
    return request(type, 0, {{at, 16, false}});
  }
  std::vector<DiskOutput> ring() {
    registers->ring(0);
    return machine.take<DiskOutput>();
  }
  std::vector<DiskOutput> finish(const DiskOutput& output, DiskStatus status = DiskStatus::kOk, u8 fill = 0) {
    door::DiskCompletionInput input{3, output.request, status, {}};
    if (output.operation == DiskOperation::kRead && status == DiskStatus::kOk) {
      input.data.assign(output.length, std::byte{fill});
    }
    block->complete(input);
    return machine.take<DiskOutput>();
  }
  void fill(u64 at, u64 bytes, u8 value) {
    machine.memory().write(PhysAddr(at), Bytes(bytes, std::byte{value}));
  }
  u8 byte(u64 at) {
    u8 value = 0;
    machine.memory().load(PhysAddr(at), value);
    return value;
  }

  test::FakeMachine machine;
  std::unique_ptr<Block> block;
  std::unique_ptr<PciBus> bus;
  std::unique_ptr<test::DriverRegisters> registers;
  DriverQueue queue{machine.memory(), 0x10000, 128};
  u64 slot = 0;
};

TEST_F(BlockTest, AReadsBytesReachTheGuestAtDeliveryAndNotBefore) {
  start();
  const u64 at = read(8, 0x100000, 4096);
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0], (DiskOutput{3, outputs[0].request, DiskOperation::kRead, 4096, 4096, {}}));
  EXPECT_EQ(status(at), kUnanswered);
  EXPECT_EQ(queue.used_index(), 0);
  finish(outputs[0], DiskStatus::kOk, 0x5a);
  EXPECT_EQ(byte(0x100000), 0x5a);
  EXPECT_EQ(byte(0x100fff), 0x5a);
  EXPECT_EQ(byte(0x101000), 0);
  EXPECT_EQ(status(at), 0);
  const auto used = queue.take_used();
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].length, 4097u);
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(BlockTest, AWritesBytesAreCopiedAtTheDoorbell) {
  start();
  fill(0x100000, 1024, 1);
  write(0, 0x100000, 1024);
  const auto outputs = ring();
  fill(0x100000, 1024, 2);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].data, Bytes(1024, std::byte{1}));
  ASSERT_EQ(block->outstanding().size(), 1u);
  EXPECT_EQ(block->outstanding()[0], outputs[0]);
  finish(outputs[0]);
  EXPECT_TRUE(block->outstanding().empty());
}

TEST_F(BlockTest, AnOverlappingRequestWaitsForTheEarlierOneInGuestOrder) {
  start();
  fill(0x100000, 512, 1);
  fill(0x110000, 512, 2);
  write(0, 0x100000, 512);
  write(0, 0x110000, 512);
  read(0, 0x120000, 512);
  read(100, 0x130000, 512);
  auto outputs = ring();
  ASSERT_EQ(outputs.size(), 2u);  // the first write and the read elsewhere
  EXPECT_EQ(outputs[0].data[0], std::byte{1});
  EXPECT_EQ(outputs[1].offset, 51200u);
  EXPECT_EQ(block->outstanding().size(), 2u);
  auto next = finish(outputs[0]);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].data[0], std::byte{2});
  EXPECT_TRUE(finish(outputs[1]).empty());
  next = finish(next[0]);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].operation, DiskOperation::kRead);
}

TEST_F(BlockTest, RequestsThatShareGuestMemoryWaitWhenOneOfThemIsARead) {
  start();
  read(0, 0x100000, 4096);
  read(1000, 0x100800, 4096);
  write(2000, 0x100400, 512);
  write(3000, 0x180000, 512);
  write(4000, 0x180000, 512);
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[0].offset, 0u);
  EXPECT_EQ(outputs[1].offset, 3000u * 512);
  EXPECT_EQ(outputs[2].offset, 4000u * 512);
  const auto next = finish(outputs[0], DiskStatus::kOk, 0x77);
  ASSERT_EQ(next.size(), 2u);  // the second read; the write takes what the first read brought
  EXPECT_EQ(next[1].data[0], std::byte{0x77});
}

TEST_F(BlockTest, TwoReadsOfTheSameBlocksNeedNoOrder) {
  start();
  read(0, 0x100000, 512);
  read(0, 0x110000, 512);
  EXPECT_EQ(ring().size(), 2u);
}

TEST_F(BlockTest, CompletionsMayComeInAnyOrder) {
  start();
  const u64 a = read(0, 0x100000, 512), b = read(8, 0x110000, 512);
  const auto outputs = ring();
  finish(outputs[1], DiskStatus::kOk, 2);
  EXPECT_EQ(status(a), kUnanswered);
  EXPECT_EQ(status(b), 0);
  finish(outputs[0], DiskStatus::kOk, 1);
  EXPECT_EQ(status(a), 0);
  EXPECT_EQ(byte(0x100000), 1);
  EXPECT_EQ(byte(0x110000), 2);
}

TEST_F(BlockTest, FlushDiscardAndWriteZeroesAreRequestsOfTheirOwn) {
  start();
  request(4, 0);
  range(11, 8, 16);
  auto outputs = ring();
  range(13, 80, 8, 1);
  for (const auto& o : ring()) outputs.push_back(o);
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[0].operation, DiskOperation::kFlush);
  EXPECT_EQ(outputs[1].operation, DiskOperation::kDiscard);
  EXPECT_EQ(outputs[1].offset, 4096u);
  EXPECT_EQ(outputs[1].length, 8192u);
  EXPECT_EQ(outputs[2].operation, DiskOperation::kWriteZeroes);
  EXPECT_LT(outputs[0].request, outputs[1].request);
}

TEST_F(BlockTest, AFlushDoesNotWaitForWritesInFlight) {
  start();
  write(0, 0x100000, 512);
  request(4, 0);
  EXPECT_EQ(ring().size(), 2u);
}

TEST_F(BlockTest, WithoutTheFlushFeatureAWriteIsFlushedBeforeItCompletes) {
  start(kVersion1);
  const u64 at = write(0, 0x100000, 512);
  auto outputs = ring();
  ASSERT_EQ(outputs.size(), 1u);
  outputs = finish(outputs[0]);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].operation, DiskOperation::kFlush);
  EXPECT_EQ(status(at), kUnanswered);
  finish(outputs[0]);
  EXPECT_EQ(status(at), 0);
}

TEST_F(BlockTest, ErrorsReachTheGuestAsStatus) {
  start();
  const u64 failing = read(0, 0x100000, 512);
  const u64 beyond = read(kDiskBytes / 512, 0x100000, 512);
  const u64 far = read(~u64{0}, 0x100000, 512);
  const u64 odd = read(0, 0x100000, 513);
  const u64 strange = request(99, 0);
  const u64 flags = range(11, 0, 8, 2);
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 1u);
  finish(outputs[0], DiskStatus::kIoError);
  EXPECT_EQ(status(failing), 1);
  EXPECT_EQ(byte(0x100000), 0);
  EXPECT_EQ(status(beyond), 1);
  EXPECT_EQ(status(far), 1);
  EXPECT_EQ(status(odd), 1);
  EXPECT_EQ(status(strange), 2);
  EXPECT_EQ(status(flags), 2);
}

TEST_F(BlockTest, AReadThatBringsTheWrongNumberOfBytesIsAnError) {
  start();
  const u64 at = read(0, 0x100000, 1024);
  const auto outputs = ring();
  block->complete({3, outputs[0].request, DiskStatus::kOk, Bytes(100)});
  EXPECT_EQ(status(at), 1);
}

TEST_F(BlockTest, AReadOnlyDiskRefusesWrites) {
  start(kVersion1 | kReadOnly, {3, kDiskBytes, true, ""});
  EXPECT_TRUE(registers->offered() & kReadOnly);
  EXPECT_FALSE(registers->offered() & (kDiscard | kWriteZeroes));
  const u64 a = write(0, 0x100000, 512), b = range(11, 0, 8);
  EXPECT_TRUE(ring().empty());
  EXPECT_EQ(status(a), 1);
  EXPECT_EQ(status(b), 2);
}

TEST_F(BlockTest, TheSerialIsAnsweredAtOnce) {
  start();
  const u64 at = request(8, 0, {{0x100000, 20, true}});
  ring();
  EXPECT_EQ(status(at), 0);
  char id[20];
  machine.memory().read(PhysAddr(0x100000), std::as_writable_bytes(std::span(id)));
  EXPECT_STREQ(id, "serial-7");
}

TEST_F(BlockTest, FramingIsFree) {
  start();
  // The header in three pieces, the last with data behind it; data and status in one buffer for a read.
  const u64 at = header(1, 8);
  fill(0x100000, 508, 9);
  u8 tail[4] = {7, 7, 7, 7};
  machine.memory().write(PhysAddr(0x70000), std::as_bytes(std::span(tail)));
  queue.add({{at, 3, false}, {at + 3, 13, false}, {0x70000, 4, false}, {0x100000, 508, false}, {at + 16, 1, true}});
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].data[3], std::byte{7});
  EXPECT_EQ(outputs[0].data[4], std::byte{9});
  const u64 other = header(0, 8);
  queue.add({{other, 16, false}, {0x110000, 513, true}});
  const auto reads = ring();
  EXPECT_TRUE(reads.empty());  // the write of these blocks is in flight
  const auto next = finish(outputs[0]);
  ASSERT_EQ(next.size(), 1u);
  fill(0x110000, 600, 0xff);
  finish(next[0], DiskStatus::kOk, 4);
  EXPECT_EQ(byte(0x110000 + 511), 4);
  EXPECT_EQ(byte(0x110000 + 512), 0);
}

TEST_F(BlockTest, IndirectTablesHoldLongRequests) {
  start();
  std::vector<DriverQueue::Buffer> buffers;
  const u64 at = header(0, 0);
  buffers.push_back({at, 16, false});
  for (u32 i = 0; i < 250; ++i) buffers.push_back({0x100000 + i * 4096, 4096, true});
  buffers.push_back({at + 16, 1, true});
  queue.add_indirect(0x80000, buffers);
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].length, 250u * 4096);
  finish(outputs[0], DiskStatus::kOk, 3);
  EXPECT_EQ(byte(0x100000 + 250 * 4096 - 1), 3);
}

TEST_F(BlockTest, AResetOrphansWhatIsInFlight) {
  start();
  write(0, 0x100000, 512);
  read(8, 0x120000, 512);
  write(0, 0x110000, 512);
  const auto before = ring();
  ASSERT_EQ(before.size(), 2u);
  restart();
  EXPECT_EQ(block->outstanding().size(), 2u);
  const u64 at = read(0, 0x100000, 512);
  EXPECT_TRUE(ring().empty());  // an earlier driver's write is still on its way to these blocks
  EXPECT_TRUE(finish(before[1], DiskStatus::kOk, 0x66).empty());
  EXPECT_EQ(byte(0x120000), 0);
  const auto next = finish(before[0]);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_GT(next[0].request, before[1].request);
  EXPECT_EQ(queue.used_index(), 0);
  finish(next[0], DiskStatus::kOk, 1);
  EXPECT_EQ(status(at), 0);
}

TEST_F(BlockTest, AForeignOrRepeatedCompletionIsIgnored) {
  start();
  read(0, 0x100000, 512);
  const auto outputs = ring();
  block->complete({3, 12345, DiskStatus::kOk, {}});
  finish(outputs[0]);
  finish(outputs[0]);
  EXPECT_EQ(queue.used_index(), 1);
}

TEST_F(BlockTest, TooMuchInFlightStaysInTheRingUntilACompletionMakesRoom) {
  start(kAll, {3, u64{1} << 30, false, ""});
  for (u64 i = 0; i < 4; ++i) {
    // 16 MiB in 128 segments of the same memory.
    std::vector<DriverQueue::Buffer> buffers{{header(1, i << 15), 16, false}};
    for (int j = 0; j < 128; ++j) buffers.push_back({0x100000, 128 << 10, false});
    buffers.push_back({0x30000, 1, true});
    queue.add_indirect(0x80000 + i * 0x4000, buffers);
  }
  const auto outputs = ring();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_TRUE(ring().empty());
  EXPECT_EQ(finish(outputs[0]).size(), 1u);
  EXPECT_EQ(finish(outputs[1]).size(), 1u);
}

TEST_F(BlockTest, AResizeRaisesTheConfigurationInterrupt) {
  start();
  EXPECT_EQ(registers->device_config(0, 8), kDiskBytes / 512);
  const u64 generation = registers->common(0x15, 1);
  block->resize(2 * kDiskBytes);
  EXPECT_EQ(registers->device_config(0, 4), 2 * kDiskBytes / 512);
  EXPECT_NE(registers->common(0x15, 1), generation);
  ASSERT_EQ(machine.messages.size(), 1u);
  EXPECT_EQ(machine.messages[0].second, 0x40u);
}

TEST_F(BlockTest, ARequestWithoutHeaderOrStatusStopsTheDevice) {
  start();
  queue.add({{0x20000, 8, false}, {0x30000, 1, true}});
  ring();
  EXPECT_TRUE(registers->status() & kNeedsReset);
  restart();
  queue.add({{0x20000, 16, false}});
  ring();
  EXPECT_TRUE(registers->status() & kNeedsReset);
  read(0, 0x100000, 512);
  EXPECT_TRUE(ring().empty());
  restart();
  read(0, 0x100000, 512);
  EXPECT_EQ(ring().size(), 1u);
}

}  // namespace
}  // namespace pollux::device::virtio
