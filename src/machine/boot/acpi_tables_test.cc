#include "machine/boot/acpi_tables.h"

#include <gtest/gtest.h>

#include "machine/boot/aml.h"
#include "machine/boot/low_memory.h"
#include "machine/platform.h"

namespace pollux::machine::boot {
namespace {

using memory::GuestMemory;
using memory::PhysAddr;

class Tables : public testing::Test {
 protected:
  GuestMemory memory{memory::heap_region(2 << 20)};

  template <class T>
  T at(u64 address) const {
    T value{};
    EXPECT_TRUE(memory.load(PhysAddr(address), value));
    return value;
  }
  std::string text(u64 address, u64 size) const {
    std::string out(size, 0);
    EXPECT_TRUE(memory.read(PhysAddr(address), std::as_writable_bytes(std::span(out))));
    return out;
  }
  u8 sum(u64 address, u64 size) const {
    u8 total = 0;
    for (const char c : text(address, size)) total += u8(c);
    return total;
  }
  // The table of this signature in the XSDT, its checksum verified.
  u64 find(u64 rsdp, const std::string& signature) {
    const u64 xsdt = at<u64>(rsdp + 24);
    EXPECT_EQ(sum(xsdt, at<u32>(xsdt + 4)), 0);
    for (u64 i = 36; i < at<u32>(xsdt + 4); i += 8) {
      const u64 table = at<u64>(xsdt + i);
      if (text(table, 4) != signature) continue;
      EXPECT_EQ(sum(table, at<u32>(table + 4)), 0) << signature;
      return table;
    }
    ADD_FAILURE() << "no " << signature;
    return 0;
  }
};

TEST_F(Tables, can_be_reached_from_the_rsdp_and_have_valid_checksums) {
  const u64 rsdp = write_acpi_tables({.cpus = 1}, memory).value;
  EXPECT_EQ(rsdp % 16, 0);
  EXPECT_EQ(text(rsdp, 8), "RSD PTR ");
  EXPECT_EQ(sum(rsdp, 20), 0);
  EXPECT_EQ(sum(rsdp, 36), 0);
  const u64 fadt = find(rsdp, "FACP");
  const u64 dsdt = at<u64>(fadt + 140);
  EXPECT_EQ(text(dsdt, 4), "DSDT");
  EXPECT_EQ(sum(dsdt, at<u32>(dsdt + 4)), 0);
  const u64 facs = at<u32>(fadt + 36);
  EXPECT_EQ(text(facs, 4), "FACS");
  EXPECT_EQ(facs % 64, 0);
}

TEST_F(Tables, name_the_ports_of_the_platform) {
  const u64 fadt = find(write_acpi_tables({.cpus = 1}, memory).value, "FACP");
  EXPECT_EQ(at<u32>(fadt + 56), platform::kPm1Event);
  EXPECT_EQ(at<u32>(fadt + 64), platform::kPm1Control);
  EXPECT_EQ(at<u32>(fadt + 76), platform::kPmTimer);
  EXPECT_EQ(at<u64>(fadt + 120), platform::kResetControl);
  EXPECT_EQ(at<u8>(fadt + 128), platform::kResetValue);
  EXPECT_EQ(at<u32>(fadt + 48), 0) << "no system management mode";
}

TEST_F(Tables, list_every_processor_once) {
  for (const u32 cpus : {1u, 2u, kMostCpus}) {
    const u64 madt = find(write_acpi_tables({.cpus = cpus}, memory).value, "APIC");
    u32 found = 0;
    for (u64 i = 44; i < at<u32>(madt + 4); i += at<u8>(madt + i + 1)) {
      ASSERT_GT(at<u8>(madt + i + 1), 0);
      if (at<u8>(madt + i) != 0) continue;
      EXPECT_EQ(at<u8>(madt + i + 3), found++);
    }
    EXPECT_EQ(found, cpus);
  }
}

Bytes hex(std::initializer_list<int> values) {
  Bytes out;
  for (const int v : values) out.push_back(std::byte(v));
  return out;
}

TEST(Aml, encodes_terms_as_the_specification_does) {
  EXPECT_EQ(aml::integer(0).bytes(), hex({0}));
  EXPECT_EQ(aml::integer(5).bytes(), hex({0x0a, 5}));
  EXPECT_EQ(aml::integer(0x1234).bytes(), hex({0x0b, 0x34, 0x12}));
  EXPECT_EQ(aml::eisa_id("PNP0A03").bytes(), hex({0x0c, 0x41, 0xd0, 0x0a, 0x03}));
  EXPECT_EQ(aml::named("\\_S5", aml::integer(1)).bytes(), hex({8, '\\', '_', 'S', '5', '_', 1}));
  EXPECT_EQ(aml::device("A", {}).bytes(), hex({0x5b, 0x82, 5, 'A', '_', '_', '_'}));
  EXPECT_EQ(aml::package({aml::integer(1), aml::integer(7)}).bytes(), hex({0x12, 5, 2, 1, 0x0a, 7}));
}

TEST(Aml, lengths_grow_to_two_and_three_bytes) {
  const auto length = [](u64 body) { return aml::scope("X", aml::Term(Bytes(body))).bytes(); };
  EXPECT_EQ(length(58).at(1), std::byte{63});
  EXPECT_EQ(length(59).at(1), std::byte(0x40 | (65 & 15)));
  EXPECT_EQ(length(59).at(2), std::byte(65 >> 4));
  EXPECT_EQ(length(0x1000).at(1), std::byte(0x80 | (0x1007 & 15)));
  EXPECT_EQ(length(0x1000).at(2), std::byte(0x1007 >> 4 & 0xff));
  EXPECT_EQ(length(0x1000).at(3), std::byte(0x1007 >> 12));
}

}  // namespace
}  // namespace pollux::machine::boot
