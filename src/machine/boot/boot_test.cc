#include "machine/boot/boot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/boot/low_memory.h"
#include "machine/boot/test_kernels.h"

namespace pollux::machine::boot {
namespace {

using memory::GuestMemory;
using memory::PhysAddr;
using testing::HasSubstr;

constexpr u64 kMemory = 16 << 20;

struct Attempt {
  GuestMemory memory{memory::heap_region(kMemory)};
  Result<Booted> booted;

  explicit Attempt(ByteSpan kernel, std::string line = "", ByteSpan initrd = {}, u64 size = kMemory)
      : memory(memory::heap_region(size)), booted(load({kernel, initrd, std::move(line), {}}, memory)) {}
  std::string sentence() const { return booted ? "it loaded" : booted.error().sentence; }
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
};

Bytes compressed_linux(Compression method, std::string_view contents = "a kernel") {
  const Bytes elf = test::elf64(contents, 0x300000);
  return test::linux_image(test::compress(method, elf), u32(elf.size()));
}

class EachCompression : public testing::TestWithParam<Compression> {};

TEST_P(EachCompression, a_linux_image_is_expanded_and_entered_at_the_address_it_is_linked_for) {
  const Attempt a(compressed_linux(GetParam()));
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kLinux);
  EXPECT_EQ(a.booted->state.rip, 0x300000);
  EXPECT_EQ(a.text(0x300000, 8), "a kernel");
}
INSTANTIATE_TEST_SUITE_P(All, EachCompression,
                         testing::Values(Compression::kGzip, Compression::kXz, Compression::kLzma, Compression::kZstd,
                                         Compression::kLz4, Compression::kBzip2, Compression::kNone));

TEST_P(EachCompression, a_damaged_payload_is_refused_with_a_sentence) {
  const Bytes elf = test::elf64("a kernel", 0x300000);
  Bytes payload = test::compress(GetParam(), elf);
  payload.resize(payload.size() / 2);
  const Attempt a(test::linux_image(payload, u32(elf.size())));
  ASSERT_FALSE(a.booted);
  EXPECT_EQ(a.booted.error().kind, ErrorKind::kFormat);
}

TEST(Boot, linux_finds_its_parameters_in_the_zero_page) {
  const Bytes initrd(5000, std::byte{0x77});
  const Attempt a(compressed_linux(Compression::kGzip), "console=ttyS0", initrd);
  ASSERT_TRUE(a.booted) << a.sentence();
  const u64 zero_page = a.booted->state.gpr[x86::kRsi];
  EXPECT_EQ(a.at<u32>(zero_page + 0x202), 0x53726448) << "the setup header is copied";
  EXPECT_EQ(a.at<u8>(zero_page + 0x211) & 2, 0) << "no randomised address";
  EXPECT_EQ(a.at<u64>(zero_page + 0x070), a.booted->rsdp.value);
  EXPECT_EQ(a.text(a.at<u32>(zero_page + 0x228), 14), std::string("console=ttyS0\0", 14));

  const u32 initrd_at = a.at<u32>(zero_page + 0x218);
  EXPECT_EQ(a.at<u32>(zero_page + 0x21c), 5000);
  EXPECT_EQ(initrd_at, kMemory - 2 * memory::kPageSize) << "as high as it fits, page-aligned";
  EXPECT_EQ(a.at<u8>(initrd_at + 4999), 0x77);

  EXPECT_EQ(a.at<u8>(zero_page + 0x1e8), 3);
  EXPECT_EQ(a.at<u64>(zero_page + 0x2d0), 0);
  EXPECT_EQ(a.at<u64>(zero_page + 0x2d0 + 8), kLowEnd);
  EXPECT_EQ(a.at<u64>(zero_page + 0x2d0 + 40), kOneMegabyte);
  EXPECT_EQ(a.at<u64>(zero_page + 0x2d0 + 48), kMemory - kOneMegabyte);
}

TEST(Boot, linux_finds_room_for_a_random_seed) {
  const Attempt a(compressed_linux(Compression::kGzip));
  ASSERT_TRUE(a.booted && a.booted->rng_seed);
  const u64 node = a.at<u64>(a.booted->state.gpr[x86::kRsi] + 0x250);
  EXPECT_EQ(a.at<u32>(node + 8), 9);
  EXPECT_EQ(a.at<u32>(node + 12), kRngSeedBytes);
  EXPECT_EQ(a.booted->rng_seed->value, node + 16);
}

TEST(Boot, linux_starts_in_long_mode_with_the_selectors_of_the_protocol) {
  const Attempt a(compressed_linux(Compression::kGzip));
  ASSERT_TRUE(a.booted);
  const x86::State& s = a.booted->state;
  EXPECT_EQ(s.segment[x86::kCs].selector, 0x10);
  EXPECT_EQ(s.segment[x86::kCs].attributes & 0x6000, 0x2000) << "64-bit code";
  EXPECT_EQ(s.segment[x86::kDs].selector, 0x18);
  EXPECT_EQ(s.rflags, 2);
  EXPECT_EQ(s.efer, 0x500);
  EXPECT_EQ(s.cr0 & 0x80000001, 0x80000001);
  EXPECT_EQ(s.cr4 & 0x20, 0x20);
  // The descriptors in memory say what the hidden parts say.
  EXPECT_EQ(a.at<u64>(s.gdtr.base + 0x10), 0x00af9b000000ffff);
  EXPECT_EQ(a.at<u64>(s.gdtr.base + 0x18), 0x00cf93000000ffff);
  // Walk the tables for an address in the third gigabyte.
  const u64 linear = 0xb1234567;
  const u64 pdpt = a.at<u64>(s.cr3) & ~u64{0xfff};
  const u64 directory = a.at<u64>(pdpt + 8 * (linear >> 30)) & ~u64{0xfff};
  EXPECT_EQ(a.at<u64>(directory + 8 * (linear >> 21 & 511)), (linear & ~u64{0x1fffff}) | 0x83);
}

TEST(Boot, a_linux_image_with_an_unknown_payload_decompresses_itself) {
  const Attempt a(test::linux_image(as_bytes("????????????"), 12));
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kLinuxSelfExpanding);
  EXPECT_EQ(a.booted->state.rip, test::kTestPreferredAddress + 0x200);
  EXPECT_EQ(a.text(test::kTestPreferredAddress + 0x400, 4), "????");
}

TEST(Boot, a_linux_image_without_a_64_bit_entry_is_entered_in_protected_mode) {
  Bytes image = test::linux_image(as_bytes("????????????"), 12);
  test::poke<u16>(image, 0x236, 0);
  const Attempt a(image);
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->state.rip, test::kTestPreferredAddress);
  EXPECT_EQ(a.booted->state.efer, 0);
  EXPECT_EQ(a.booted->state.cr0 & 0x80000001, 1);
}

TEST(Boot, an_elf_kernel_with_a_pvh_note_gets_hvm_start_info) {
  const Bytes initrd(100, std::byte{1});
  const Attempt a(test::elf64("kernel code", 0x100000, test::pvh_note(0x100004)), "quiet", initrd);
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kPvh);
  EXPECT_EQ(a.booted->state.rip, 0x100004);
  EXPECT_EQ(a.booted->state.cr0 & 0x80000001, 1);
  const u64 info = a.booted->state.gpr[x86::kRbx];
  EXPECT_EQ(a.at<u32>(info), 0x336ec578);
  EXPECT_EQ(a.at<u32>(info + 12), 1) << "one module";
  const u64 module = a.at<u64>(info + 16);
  EXPECT_EQ(a.at<u64>(module + 8), 100);
  EXPECT_EQ(a.at<u8>(a.at<u64>(module)), 1);
  EXPECT_EQ(a.text(a.at<u64>(info + 24), 6), std::string("quiet\0", 6));
  EXPECT_EQ(a.at<u64>(info + 32), a.booted->rsdp.value);
  EXPECT_EQ(a.at<u32>(info + 48), 3) << "entries of the memory map";
  EXPECT_EQ(a.at<u64>(a.at<u64>(info + 40) + 2 * 24 + 8), kMemory - kOneMegabyte);
}

TEST(Boot, a_plain_elf64_kernel_is_entered_in_long_mode) {
  const Attempt a(test::elf64("bare metal", 0x100000));
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kElf64);
  EXPECT_EQ(a.booted->state.rip, 0x100000);
  EXPECT_EQ(a.text(0x100000, 10), "bare metal");
}

TEST(Boot, a_flat_multiboot_kernel_is_loaded_where_its_header_says) {
  Bytes file(0x100);
  test::poke<u32>(file, 0x10, 0x1badb002);
  test::poke<u32>(file, 0x14, 1 << 16);
  test::poke<u32>(file, 0x18, u32(-(0x1badb002 + (1 << 16))));
  test::poke<u32>(file, 0x1c, 0x100010);  // where the header is
  test::poke<u32>(file, 0x20, 0x100000);  // where loading begins
  test::poke<u32>(file, 0x24, 0);         // all of the file
  test::poke<u32>(file, 0x28, 0x102000);  // bss to here
  test::poke<u32>(file, 0x2c, 0x100040);  // entry
  const Attempt a(file, "x");
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kMultiboot);
  EXPECT_EQ(a.booted->state.rip, 0x100040);
  EXPECT_EQ(a.booted->state.gpr[x86::kRax], 0x2badb002);
  const u64 info = a.booted->state.gpr[x86::kRbx];
  EXPECT_EQ(a.at<u32>(info + 8), (kMemory - kOneMegabyte) >> 10);
  EXPECT_EQ(a.text(a.at<u32>(info + 16), 2), std::string("x\0", 2));
  EXPECT_EQ(a.at<u32>(info + 44), 3 * 24) << "the memory map's length";
  EXPECT_EQ(a.at<u32>(a.at<u32>(info + 48)), 20);
  EXPECT_EQ(a.at<u32>(0x100010), 0x1badb002);
}

TEST(Boot, a_multiboot2_elf_kernel_gets_its_tags) {
  std::string contents(64, 0);
  const u32 header[] = {0xe85250d6, 0, 24, u32(-(0xe85250d6 + 24)), 0, 8};
  std::memcpy(contents.data(), header, sizeof header);
  const Attempt a(test::elf64(contents, 0x100000), "line");
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->kind, KernelKind::kMultiboot2);
  EXPECT_EQ(a.booted->state.gpr[x86::kRax], 0x36d76289);
  const u64 info = a.booted->state.gpr[x86::kRbx];
  std::vector<u32> types;
  for (u64 at = 8; at < a.at<u32>(info); at += (a.at<u32>(info + at + 4) + 7) & ~7u)
    types.push_back(a.at<u32>(info + at));
  EXPECT_EQ(types, (std::vector<u32>{1, 2, 4, 6, 15, 0}));
  EXPECT_EQ(a.text(info + 16, 5), std::string("line\0", 5));
}

TEST(Boot, a_boot_sector_starts_in_real_mode_at_7c00) {
  Bytes sector(512);
  sector[0] = std::byte{0xf4};
  sector[510] = std::byte{0x55};
  sector[511] = std::byte{0xaa};
  const Attempt a(sector);
  ASSERT_TRUE(a.booted) << a.sentence();
  EXPECT_EQ(a.booted->state.rip, 0x7c00);
  EXPECT_EQ(a.booted->state.segment[x86::kCs].base, 0);
  EXPECT_EQ(a.booted->state.cr0 & 1, 0);
  EXPECT_EQ(a.at<u8>(0x7c00), 0xf4);
}

TEST(Boot, loading_twice_gives_equal_machines) {
  Attempt a(compressed_linux(Compression::kXz), "x"), b(compressed_linux(Compression::kXz), "x");
  EXPECT_EQ(a.memory.digest(), b.memory.digest());
}

TEST(BootRefuses, what_is_no_kernel) {
  EXPECT_THAT(Attempt(as_bytes("#!/bin/sh\nexit 0\n")).sentence(), HasSubstr("not a kernel"));
  EXPECT_THAT(Attempt(ByteSpan{}).sentence(), HasSubstr("empty"));
  EXPECT_THAT(Attempt(Bytes(4096)).sentence(), HasSubstr("not a kernel"));
}

TEST(BootRefuses, a_disk_image_named_as_a_kernel) {
  Bytes disk(1 << 20);
  test::poke<u16>(disk, 510, 0xaa55);
  EXPECT_THAT(Attempt(disk).sentence(), HasSubstr("disk image"));
}

TEST(BootRefuses, a_linux_image_that_is_cut_short) {
  Bytes image = compressed_linux(Compression::kGzip);
  image.resize(image.size() - 20);
  EXPECT_THAT(Attempt(image).sentence(), HasSubstr("cut short"));
  image.resize(700);
  EXPECT_THAT(Attempt(image).sentence(), HasSubstr("cut short"));
}

TEST(BootRefuses, a_linux_image_that_is_too_old) {
  Bytes image = compressed_linux(Compression::kGzip);
  test::poke<u16>(image, 0x206, 0x0200);
  EXPECT_THAT(Attempt(image).sentence(), HasSubstr("too old"));
}

TEST(BootRefuses, an_elf_kernel_for_another_processor) {
  Bytes elf = test::elf64("arm");
  test::poke<u16>(elf, 18, EM_AARCH64);
  EXPECT_THAT(Attempt(elf).sentence(), HasSubstr("another processor"));
}

TEST(BootRefuses, an_elf_kernel_that_is_cut_short) {
  Bytes elf = test::elf64("kernel");
  elf.resize(elf.size() - 1);
  EXPECT_THAT(Attempt(elf).sentence(), HasSubstr("cut short"));
}

TEST(BootRefuses, a_kernel_that_does_not_fit_into_memory) {
  EXPECT_THAT(Attempt(test::elf64("kernel", 0x1000000)).sentence(), HasSubstr("does not fit"));
  EXPECT_THAT(Attempt(test::elf64("kernel", 0x2'0000'0000)).sentence(), HasSubstr("above 4 GiB"));
  EXPECT_THAT(Attempt(test::elf64("kernel", 0x1000)).sentence(), HasSubstr("keeps its tables"));
}

TEST(BootRefuses, an_initrd_that_does_not_fit_into_memory) {
  const Bytes initrd(kMemory - (2 << 20));
  EXPECT_THAT(Attempt(compressed_linux(Compression::kGzip), "", initrd).sentence(),
              HasSubstr("the initrd does not fit"));
}

TEST(BootRefuses, a_command_line_that_the_kernel_does_not_take) {
  const Bytes image = compressed_linux(Compression::kGzip);
  EXPECT_THAT(Attempt(image, std::string(test::kTestCommandLineLimit, 'x')).sentence(), "it loaded");
  EXPECT_THAT(Attempt(image, std::string(test::kTestCommandLineLimit + 1, 'x')).sentence(), HasSubstr("too long"));
}

TEST(BootRefuses, a_payload_that_expands_without_bound) {
  const Bytes bomb = test::compress(Compression::kGzip, Bytes(1 << 20));
  EXPECT_THAT(decompress(bomb, 1 << 16).error().sentence, HasSubstr("more than a kernel can be"));
  EXPECT_EQ(decompress(bomb, 1 << 20)->size(), 1 << 20) << "exactly the limit is allowed";
}

}  // namespace
}  // namespace pollux::machine::boot
