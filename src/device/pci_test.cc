#include "device/pci.h"

#include <gtest/gtest.h>

#include "device/pci_msix.h"

namespace pollux::device {
namespace {

constexpr u64 kBase = 0xe000'0000, kEnd = 0xe100'0000;

class Messages final : public MessageSink {
 public:
  void message(u64 address, u32 data) override { sent.push_back({address, data}); }
  std::vector<std::pair<u64, u32>> sent;
};

class Scratch final : public PciFunction {
 public:
  Scratch(MessageSink& sink, u64 bytes, BarWidth width)
      : PciFunction({.vendor = 0x1234, .device = 0x5678, .class_code = 0x020000, .revision = 9}),
        msix(config(), sink, 3, 2, 0, 0x800) {
    config().add_bar(0, bytes, width);
    config().add_bar(2, 4096, BarWidth::k32);
  }
  void config_write(u8 offset, unsigned size, u32 value) override {
    PciFunction::config_write(offset, size, value);
    msix.config_written();
  }
  u64 bar_read(unsigned bar, u64 offset, unsigned size) override {
    if (bar == 2) return offset < 0x800 ? msix.table_read(offset, size) : msix.pending_read(offset - 0x800, size);
    return last_offset = offset;
  }
  void bar_write(unsigned bar, u64 offset, unsigned size, u64 value) override {
    if (bar == 2) return msix.table_write(offset, size, value);
    last_offset = offset;
    last_value = value;
  }
  Msix msix;
  u64 last_offset = 0, last_value = 0;
};

class PciTest : public testing::Test {
 protected:
  PciTest() {
    bus.add(1, narrow);
    bus.add(5, wide);
  }
  void select(u32 device, u32 offset, u32 function = 0, u32 number = 0) {
    bus.config_ports().write(0, 4, 0x8000'0000 | number << 16 | device << 11 | function << 8 | (offset & 0xfc));
  }
  u32 read(u32 device, u32 offset, unsigned size) {
    select(device, offset);
    return u32(bus.config_ports().read(4 + offset % 4, size));
  }
  void write(u32 device, u32 offset, unsigned size, u32 value) {
    select(device, offset);
    bus.config_ports().write(4 + offset % 4, size, value);
  }
  u8 find_capability(u32 device, u8 id) {
    for (u8 at = u8(read(device, 0x34, 1)); at; at = u8(read(device, at + 1u, 1))) {
      if (read(device, at, 1) == id) return at;
    }
    return 0;
  }

  Messages messages;
  Scratch narrow{messages, 0x4000, BarWidth::k32};
  Scratch wide{messages, 0x10'0000, BarWidth::k64};
  PciBus bus{kBase, kEnd};
};

TEST_F(PciTest, AKernelFindsTheHostBridgeAndTheFunctions) {
  bus.config_ports().write(0, 4, 0x8000'0000);
  EXPECT_EQ(bus.config_ports().read(0, 4), 0x8000'0000u);
  EXPECT_EQ(read(0, 0x0a, 2), 0x0600u);
  EXPECT_EQ(read(1, 0, 4), 0x5678'1234u);
  EXPECT_EQ(read(1, 2, 2), 0x5678u);
  EXPECT_EQ(read(1, 3, 1), 0x56u);
  EXPECT_EQ(read(1, 8, 4), 0x0200'0009u);
  EXPECT_EQ(read(1, 0x0e, 1), 0u);
}

TEST_F(PciTest, WhereNothingIsReadsGiveAllOnes) {
  EXPECT_EQ(read(2, 0, 4), 0xffff'ffffu);
  select(1, 0, 1);
  EXPECT_EQ(bus.config_ports().read(4, 4), 0xffff'ffffu);
  select(1, 0, 0, 1);
  EXPECT_EQ(bus.config_ports().read(4, 2), 0xffffu);
  bus.config_ports().write(0, 4, 0x0000'0800);
  EXPECT_EQ(bus.config_ports().read(4, 4), 0xffff'ffffu);
  EXPECT_EQ(bus.window().read(0xff'0000, 4), 0xffff'ffffu);
}

TEST_F(PciTest, OnlyDwordAccessesReachTheAddressRegister) {
  select(1, 0x10);
  bus.config_ports().write(3, 1, 1);
  bus.config_ports().write(0, 2, 0xffff);
  EXPECT_EQ(bus.config_ports().read(0, 4), 0x8000'0810u);
}

TEST_F(PciTest, AccessesAcrossADwordAreNotTaken) {
  select(1, 0);
  EXPECT_EQ(bus.config_ports().read(6, 4), 0xffff'ffffu);
  EXPECT_EQ(bus.config_ports().read(7, 2), 0xffffu);
}

TEST_F(PciTest, BarsHaveAddressesInTheWindowFromTheStart) {
  EXPECT_EQ(read(1, 4, 2), 6u);
  const u64 a = read(1, 0x10, 4), b = read(1, 0x18, 4), c = read(5, 0x10, 4);
  EXPECT_EQ(a, kBase);
  EXPECT_EQ(b, kBase + 0x4000);
  EXPECT_EQ(c, (kBase + 0x10'0000) | 4);
  EXPECT_EQ(read(5, 0x14, 4), 0u);
  bus.window().write(a - kBase + 0x123, 1, 7);
  EXPECT_EQ(narrow.last_offset, 0x123u);
  EXPECT_EQ(narrow.last_value, 7u);
  EXPECT_EQ(bus.window().read((c & ~15u) - kBase + 0xffff8, 8), 0xffff8u);
}

TEST_F(PciTest, WritingAllOnesToABarTellsItsSize) {
  const u32 before = read(1, 0x10, 4);
  write(1, 0x10, 4, ~0u);
  EXPECT_EQ(read(1, 0x10, 4), u32(-0x4000));
  write(1, 0x10, 4, before);
  write(5, 0x10, 4, ~0u);
  write(5, 0x14, 4, ~0u);
  EXPECT_EQ(read(5, 0x10, 4), u32(-0x10'0000) | 4);
  EXPECT_EQ(read(5, 0x14, 4), ~0u);
  write(1, 0x14, 4, ~0u);
  EXPECT_EQ(read(1, 0x14, 4), 0u) << "no such BAR";
}

TEST_F(PciTest, ABarMovesAndDecodesOnlyWhileMemoryIsEnabled) {
  write(1, 0x10, 4, u32(kBase + 0x80'0000));
  EXPECT_EQ(bus.window().read(0x80'0010, 4), 0x10u);
  EXPECT_EQ(bus.window().read(0x10, 4), 0xffff'ffffu);
  write(1, 4, 2, 4);
  EXPECT_EQ(bus.window().read(0x80'0010, 4), 0xffff'ffffu);
}

TEST_F(PciTest, ReadOnlyFieldsStay) {
  write(1, 0, 4, 0);
  write(1, 8, 4, ~0u);
  write(1, 0x34, 1, 0);
  write(1, 0x3c, 1, 11);
  EXPECT_EQ(read(1, 0, 4), 0x5678'1234u);
  EXPECT_EQ(read(1, 8, 4), 0x0200'0009u);
  EXPECT_NE(read(1, 0x34, 1), 0u);
  EXPECT_EQ(read(1, 0x3c, 2), 11u) << "a line to keep, no pin";
}

TEST_F(PciTest, AMessageIsSentOnlyWhenEnabledAndUnmasked) {
  const u8 capability = find_capability(1, 0x11);
  ASSERT_NE(capability, 0);
  EXPECT_EQ(read(1, capability + 2u, 2) & 0x7ff, 2u);
  const u64 table = read(1, 0x18, 4) - kBase;
  bus.window().write(table + 16, 8, 0xfee0'1000);
  bus.window().write(table + 24, 4, 0x55);
  narrow.msix.raise(1);
  EXPECT_TRUE(messages.sent.empty()) << "not enabled, and not remembered";
  write(1, capability + 2u, 2, 0x8000);
  narrow.msix.raise(1);
  EXPECT_TRUE(messages.sent.empty()) << "the vector is masked";
  EXPECT_EQ(bus.window().read(table + 0x800, 8), 2u);
  bus.window().write(table + 28, 4, 0);
  ASSERT_EQ(messages.sent.size(), 1u);
  EXPECT_EQ(messages.sent[0], (std::pair<u64, u32>{0xfee0'1000, 0x55}));
  EXPECT_EQ(bus.window().read(table + 0x800, 8), 0u);
  write(1, capability + 2u, 2, 0xc000);
  narrow.msix.raise(1);
  narrow.msix.raise(1);
  EXPECT_EQ(messages.sent.size(), 1u) << "the function is masked";
  write(1, capability + 2u, 2, 0x8000);
  EXPECT_EQ(messages.sent.size(), 2u) << "once";
  bus.window().write(table + 0x800, 8, ~u64{0});
  EXPECT_EQ(bus.window().read(table + 0x800, 8), 0u) << "pending bits are not the guest's";
  narrow.msix.raise(99);
}

TEST_F(PciTest, AccessesOutsideTheTableDoNothing) {
  EXPECT_EQ(narrow.msix.table_read(3 * 16, 4), 0u);
  EXPECT_EQ(narrow.msix.table_read(3 * 16 - 4, 8), 0u);
  EXPECT_EQ(narrow.msix.table_read(2, 4), 0u);
  EXPECT_EQ(narrow.msix.table_read(~u64{7}, 8), 0u);
  narrow.msix.table_write(~u64{3}, 4, 1);
  narrow.msix.table_write(1, 2, 1);
}

TEST_F(PciTest, StateSurvivesSaveAndRestore) {
  write(1, 0x10, 4, u32(kBase + 0x80'0000));
  SaveVisitor save;
  save.component("bus", bus);
  save.component("config", narrow.config());
  save.component("msix", narrow.msix);
  const Bytes bytes = save.take();
  Scratch other(messages, 0x4000, BarWidth::k32);
  PciBus other_bus(kBase, kEnd);
  other_bus.add(1, other);
  LoadVisitor load(bytes);
  load.component("bus", other_bus);
  load.component("config", other.config());
  load.component("msix", other.msix);
  EXPECT_TRUE(load.ok());
  EXPECT_EQ(other_bus.config_ports().read(0, 4), bus.config_ports().read(0, 4));
  EXPECT_EQ(other_bus.window().read(0x80'0010, 4), 0x10u);
}

}  // namespace
}  // namespace pollux::device
