// Whatever a guest writes to the rings and the registers, the host neither crashes nor hangs, and a saved device is
// restored to the same device.
#include "base/check.h"
#include "device/virtio/block.h"
#include "device/virtio/console.h"
#include "device/virtio/driver_model.h"
#include "device/virtio/entropy.h"
#include "device/virtio/net.h"

namespace pollux::device::virtio {
namespace {

constexpr u64 kMemory = 1 << 20;
constexpr u64 kRings = 0x1000;  // queue q's areas start at kRings + q * 0x1000

// One region for all runs: making one takes longer than a run.
const memory::Region& region() {
  static const memory::Region only = memory::heap_region(kMemory);
  return only;
}

class Subject {
 public:
  explicit Subject(u8 kind) : kind_(kind % 4) {
    bus_.add(1, device());
    registers_.emplace(bus_, 1);
  }
  // how: bit 0, event indices; bit 1, only what every driver must take.
  void start(u8 how) {
    test::DriverRegisters& r = *registers_;
    r.negotiate(how & 2 ? kVersion1 : r.offered() & ~(how & 1 ? 0 : kEventIndex));
    r.enable_msix();
    for (u16 q = 0; q < r.common(0x12, 2); ++q) {
      r.enable_queue(q, test::DriverQueue(machine_.memory(), kRings + q * 0x1000u, 16));
    }
    r.driver_ok();
  }
  void step(ByteReader& in) {
    test::DriverRegisters& r = *registers_;
    switch (in.get<u8>() % 12) {
      case 8: case 9: case 10: case 11: request(in); return;
      case 0: case 1: {
        const u16 at = in.get<u16>();
        const ByteSpan bytes = in.get_bytes(in.get<u8>() % 64);
        machine_.memory().write(memory::PhysAddr(kRings + at % 0x2000), bytes);
        return;
      }
      case 2: {
        // A descriptor: short to say, so that chains are found.
        const u8 index = in.get<u8>();
        const u16 page = in.get<u16>();
        const u16 length = in.get<u16>(), flags = in.get<u16>();
        test::DriverQueue ring(machine_.memory(), kRings + (index >> 7) * 0x1000u, 16);
        ring.write_descriptor(ring.descriptors(), index & 15, {u64{page} << 4, length, false}, flags & 7, flags >> 8);
        return;
      }
      case 3: {
        const u8 which = in.get<u8>();
        test::DriverQueue ring(machine_.memory(), kRings + (which >> 7) * 0x1000u, 16);
        u16 available = 0;
        machine_.memory().load(memory::PhysAddr(ring.available() + 2), available);
        ring.set_available_index(available);
        ring.offer(which & 31);
        r.ring(which >> 7);
        return;
      }
      case 4: {
        const u16 at = in.get<u16>();
        const u8 size = in.get<u8>();
        const u64 value = in.get<u64>();
        device().bar_write(kBar, at & 0x7fff, 1u << (size & 3), value);
        device().bar_read(kBar, at & 0x7fff, 1u << (size & 3));
        return;
      }
      case 5: {
        const u8 at = in.get<u8>();
        r.set_config(at & 0xfc, 4, at & 1 ? in.get<u32>() : in.get<u8>() & 7);
        r.config(at & 0xfc, 4);
        return;
      }
      case 6: deliver(in); return;
      default: if (in.get<u8>() % 4 == 0) start(in.get<u8>()); return;
    }
  }
  Device& device() {
    switch (kind_) {
      case 0: return block_;
      case 1: return net_;
      case 2: return console_;
      default: return entropy_;
    }
  }
  void forget_effects() {
    machine_.outputs.clear();
    machine_.messages.clear();
  }

 private:
  // A chain that is a disk request or nearly one (and plain buffers to the other kinds), for random descriptors hardly
  // ever make one: header, data, status.
  void request(ByteReader& in) {
    constexpr u32 kTypes[] = {0, 1, 4, 8, 11, 13, 99, 1};
    const u8 what = in.get<u8>(), sector = in.get<u8>(), pieces = in.get<u8>(), place = in.get<u8>(), odd = in.get<u8>();
    const u32 type = kTypes[what & 7];
    const u16 queue = what >> 7;
    test::DriverQueue ring(machine_.memory(), kRings + queue * 0x1000u, 16);
    const u64 header = 0x8000 + (what & 0x70) * 16u;
    machine_.memory().store(memory::PhysAddr(header), type);
    machine_.memory().store(memory::PhysAddr(header + 8), u64{sector});
    // The range of a discard or write-zeroes.
    machine_.memory().store(memory::PhysAddr(header + 16), u64{sector});
    machine_.memory().store(memory::PhysAddr(header + 24), u32{pieces});
    machine_.memory().store(memory::PhysAddr(header + 28), u32{odd} & 1);
    const bool range = type == 11 || type == 13;
    const u32 step = type == 8 ? 20 : odd == 7 ? 100 : 512;
    const u16 data = type == 4 || range ? 0 : u16(pieces % 5);
    u16 index = what >> 4 & 7;
    const u16 head = index;
    const auto put = [&](test::DriverQueue::Buffer buffer, bool last) {
      ring.write_descriptor(ring.descriptors(), index & 15, buffer, last ? 0 : 1, u16((index + 1) & 15));
      ++index;
    };
    put({header, range ? 32u : 16u, false}, odd == 1);
    for (u16 i = 0; i < data; ++i) put({0x10000 + (place + i) * 256u, step, type != 1}, false);
    put({header + 64, 1, odd != 2}, true);
    u16 available = 0;
    machine_.memory().load(memory::PhysAddr(ring.available() + 2), available);
    ring.set_available_index(available);
    ring.offer(head);
    if (!(odd & 0x80)) registers_->ring(queue);
  }
  void deliver(ByteReader& in) {
    const u16 count = in.get<u16>();
    switch (kind_) {
      case 0: {
        const auto all = block_.outstanding();
        if (all.empty()) return block_.resize(u64{count} << 5);
        const auto& output = all[count % all.size()];
        const bool read = output.operation == door::DiskOperation::kRead;
        block_.complete({0, output.request, door::DiskStatus(count >> 14), Bytes(read ? output.length : 0)});
        return;
      }
      case 1: count == 0xffff ? net_.set_link(in.get<u8>() & 1) : net_.receive(Bytes(count % 4096, std::byte(count))); return;
      case 2: console_.receive(Bytes(count % 4096, std::byte(count))); return;
      default: entropy_.fill(Bytes(count % 512, std::byte(count))); return;
    }
  }

  u8 kind_;
  test::FakeMachine machine_{region()};
  Block block_{machine_, machine_, {0, 1 << 20, false, "fuzz"}};
  Net net_{machine_, machine_, {}};
  Console console_{machine_, machine_};
  Entropy entropy_{machine_, machine_};
  PciBus bus_{0xe000'0000, 0xfec0'0000};
  std::optional<test::DriverRegisters> registers_;
};

Bytes state(Device& device) {
  SaveVisitor save;
  save.component("device", device);
  return save.take();
}

}  // namespace

void fuzz(ByteSpan bytes) {
  ByteReader in(bytes);
  const u8 kind = in.get<u8>();
  std::memset(region().base.get(), 0, kMemory);
  Subject subject(kind);
  subject.start(kind >> 6);
  while (in.ok() && !in.at_end()) {
    subject.step(in);
    subject.forget_effects();
  }
  const Bytes saved = state(subject.device());
  Subject copy(kind);
  LoadVisitor load(saved);
  load.component("device", copy.device());
  POLLUX_CHECK(load.ok() && state(copy.device()) == saved, "a restored device differs");
}

}  // namespace pollux::device::virtio

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pollux::device::virtio::fuzz(std::as_bytes(std::span(data, size)));
  return 0;
}
