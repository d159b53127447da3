// Saving and restoring all devices in the middle of anything changes nothing that follows: equal outputs, interrupts
// and digests.
#include <gtest/gtest.h>

#include "base/random.h"
#include "device/virtio/block.h"
#include "device/virtio/console.h"
#include "device/virtio/driver_model.h"
#include "device/virtio/entropy.h"
#include "device/virtio/net.h"

namespace pollux::device::virtio {
namespace {

using memory::PhysAddr;
using test::DriverQueue;

constexpr u64 kMemory = 2 << 20;
constexpr u64 kRingBase = 0x10000, kRingStep = 0x4000;

// Four devices and a driver that does random things with them, some of them wrong. Its random numbers and the devices
// are all its state: rings are written without the model's bookkeeping.
class Zoo {
 public:
  explicit Zoo(u64 seed) : random(seed) {
    bus.add(1, block);
    bus.add(2, net);
    bus.add(3, console);
    bus.add(4, entropy);
    for (u32 i = 0; i < 4; ++i) registers.emplace_back(bus, i + 1);
  }

  void start(u32 device) {
    test::DriverRegisters& r = registers[device];
    r.negotiate(r.offered() & ~(random.below(3) == 0 ? kEventIndex : 0));
    r.enable_msix();
    for (u16 q = 0; q < r.common(0x12, 2); ++q) {
      const DriverQueue queue(machine.memory(), ring_base(device, q), 8);
      machine.memory().write(PhysAddr(queue.available()), Bytes(queue.end() - queue.available()));
      r.enable_queue(q, queue);
    }
    r.driver_ok();
  }
  static u64 ring_base(u32 device, u16 queue) { return kRingBase + (device * 2 + queue) * kRingStep; }

  void step() {
    const u32 device = u32(random.below(4));
    const u16 index = u16(random.below(2));
    switch (random.below(12)) {
      case 0: if (random.below(10) == 0 || (registers[device].status() & kNeedsReset)) start(device); return;
      case 1: case 2: case 3: case 4: offer(device, index); return;
      case 5: case 6: registers[device].ring(index); return;
      case 7: finish(); return;
      case 8: net.receive(bytes(14 + random.below(3000))); return;
      case 9: random.below(20) ? console.receive(bytes(random.below(50))) : net.set_link(random.below(2)); return;
      case 10: entropy.fill(bytes(random.below(100))); return;
      default: mask(device); return;
    }
  }

  Bytes save() {
    SaveVisitor v;
    visit(v);
    return v.take();
  }
  bool restore(ByteSpan from) {
    LoadVisitor v(from);
    visit(v);
    return v.ok();
  }
  u64 digest() {
    DigestVisitor v;
    visit(v);
    return v.digest();
  }
  void visit(Visitor& v) {
    auto memory = [&] { machine.memory().visit(v); };
    memory();
    v.component("bus", bus);
    v.component("block", block);
    v.component("net", net);
    v.component("console", console);
    v.component("entropy", entropy);
  }

  Random random;
  test::FakeMachine machine{kMemory};
  Block block{machine, machine, {0, 1 << 20, false, "zoo"}};
  Net net{machine, machine, {0, {2, 0, 0, 0, 0, 1}}};
  Console console{machine, machine};
  Entropy entropy{machine, machine};
  PciBus bus{0xe000'0000, 0xfec0'0000};
  std::vector<test::DriverRegisters> registers;

 private:
  Bytes bytes(u64 count) {
    Bytes all(count);
    for (std::byte& each : all) each = std::byte(random.next());
    return all;
  }
  // One chain of one to three descriptors, plausible for a disk, now and then nonsense.
  void offer(u32 device, u16 index) {
    const u64 base = ring_base(device, index);
    DriverQueue ring(machine.memory(), base, 8);
    const u64 data = 0x80000 + random.below(64) * 0x1000;
    const u16 head = u16(random.below(6));
    const bool writes = device == 3 || (device != 0 && index == 0);
    if (device == 0) {
      machine.memory().store(PhysAddr(data), std::array<u32, 4>{0, 1, 4, 13}[random.below(4)]);
      machine.memory().store(PhysAddr(data + 8), random.below(32));
      ring.write_descriptor(base, head, {data, 16, false}, 1, u16(head + 1));
      const u32 length = random.below(30) ? u32(512 * (1 + random.below(4))) : 16;
      ring.write_descriptor(base, u16(head + 1), {data + 0x400, length, random.below(2) == 0}, 1, u16(head + 2));
      ring.write_descriptor(base, u16(head + 2), {data + 0x100, 1, true}, 0, 0);
    } else {
      ring.write_descriptor(base, head, {data, u32(random.below(2000)), writes}, u16(random.below(2)), u16(head + 1));
      ring.write_descriptor(base, u16(head + 1), {data + 0x800, u32(random.below(2000)), writes}, 0, 0);
    }
    u16 available = 0;
    machine.memory().load(PhysAddr(ring.available() + 2), available);
    machine.memory().store(PhysAddr(ring.available() + 4 + (available % 8) * 2u),
                           random.below(200) ? head : u16(random.next()));
    machine.memory().store(PhysAddr(ring.available() + 2), u16(available + 1));
    ring.set_used_event(u16(random.below(4) ? available : random.next()));
  }
  void finish() {
    const auto all = block.outstanding();
    if (all.empty()) return;
    const auto& output = all[random.below(all.size())];
    door::DiskCompletionInput done{0, output.request, door::DiskStatus(random.below(4) ? 0 : random.below(4)), {}};
    if (output.operation == door::DiskOperation::kRead) done.data = bytes(output.length);
    block.complete(done);
  }
  void mask(u32 device) {
    test::DriverRegisters& r = registers[device];
    r.write(r.msix_table() + 12 + random.below(3) * 16, 4, random.below(2));
  }
};

TEST(Restore, ASaveAndRestoreInTheMiddleOfAnythingChangesNothing) {
  for (u64 seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Zoo one(seed);
    for (u32 i = 0; i < 4; ++i) one.start(i);
    const u64 before = 100 + Random(seed).below(1500);
    for (u64 i = 0; i < before; ++i) one.step();
    const Bytes saved = one.save();
    Zoo two(seed);
    ASSERT_TRUE(two.restore(saved));
    EXPECT_EQ(two.digest(), one.digest());
    EXPECT_EQ(two.save(), saved);
    two.random = one.random;
    one.machine.outputs.clear();
    one.machine.messages.clear();
    for (u64 i = 0; i < 2000; ++i) {
      one.step();
      two.step();
    }
    EXPECT_EQ(two.machine.outputs, one.machine.outputs);
    EXPECT_EQ(two.machine.messages, one.machine.messages);
    EXPECT_GT(one.machine.outputs.size(), 20u) << "the test does nothing";
    EXPECT_EQ(two.digest(), one.digest());
  }
}

}  // namespace
}  // namespace pollux::device::virtio
