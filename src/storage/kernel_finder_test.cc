#include "storage/kernel_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pollux::storage {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPath = "export PATH=$PATH:/usr/sbin:/sbin; ";

bool have(const std::string& tool) {
  return std::system((kPath + ("command -v " + tool + " >/dev/null 2>&1")).c_str()) == 0;
}

// A folder of its own, with images made by mke2fs -d and sfdisk.
class KernelFinder : public testing::Test {
 protected:
  void SetUp() override {
    if (!have("mke2fs") || !have("sfdisk")) GTEST_SKIP() << "mke2fs (e2fsprogs) or sfdisk (fdisk) is not installed";
    std::string pattern = (fs::temp_directory_path() / "kernel-finder-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void run(const std::string& command) const {
    ASSERT_EQ(std::system((kPath + ("(" + command + ") >/dev/null 2>&1")).c_str()), 0) << command;
  }
  void write(const std::string& tree, const std::string& name, const std::string& text) const {
    const fs::path at = folder_ / tree / name;
    fs::create_directories(at.parent_path());
    std::ofstream(at) << text;
  }
  void link(const std::string& tree, const std::string& name, const std::string& target) const {
    fs::create_directories((folder_ / tree / name).parent_path());
    fs::create_symlink(target, folder_ / tree / name);
  }
  void make_ext(const std::string& image, const std::string& tree, const std::string& kind = "ext4") const {
    run("mke2fs -q -F -t " + kind + " -d " + path(tree) + " " + path(image) + " 8M");
  }
  // A disk of 64 MiB whose partitions, as sfdisk is told, get the images' bytes at the given MiB.
  void make_disk(const std::string& image, const std::string& table,
                 const std::vector<std::pair<std::string, int>>& contents) const {
    run("truncate -s 64M " + path(image));
    run("printf '" + table + "' | sfdisk " + path(image));
    for (const auto& [name, mib] : contents)
      run("dd conv=notrunc bs=1M seek=" + std::to_string(mib) + " if=" + path(name) + " of=" + path(image));
  }
  void make_debian(const std::string& tree) const {
    write(tree, "boot/vmlinuz-6.1.0-9-amd64", "kernel 9");
    write(tree, "boot/vmlinuz-6.1.0-10-amd64", "kernel 10");
    write(tree, "boot/initrd.img-6.1.0-9-amd64", "initrd 9");
    write(tree, "boot/initrd.img-6.1.0-10-amd64", "initrd 10");
  }
  std::string sentence(const std::string& image) const {
    const auto found = find_kernel(path(image));
    return found ? "found" : found.error().sentence;
  }

  fs::path folder_;
};

TEST_F(KernelFinder, takes_the_newest_version_in_boot_with_its_initrd) {
  make_debian("tree");
  for (const char* kind : {"ext2", "ext3", "ext4"}) {
    make_ext("disk", "tree", kind);
    const auto found = find_kernel(path("disk"));
    ASSERT_TRUE(found) << found.error().sentence;
    EXPECT_EQ(as_text(found->kernel), "kernel 10");
    EXPECT_EQ(as_text(found->initrd), "initrd 10");
    EXPECT_EQ(found->root, "/dev/vda");
  }
}

TEST_F(KernelFinder, follows_the_link_in_the_root_rather_than_the_version) {
  make_debian("tree");
  link("tree", "vmlinuz", "boot/vmlinuz-6.1.0-9-amd64");
  link("tree", "initrd.img", "boot/initrd.img-6.1.0-9-amd64");
  make_ext("disk", "tree");
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_EQ(as_text(found->kernel), "kernel 9");
  EXPECT_EQ(as_text(found->initrd), "initrd 9");
}

TEST_F(KernelFinder, follows_an_absolute_and_long_link_inside_the_image) {
  const std::string version = "6.1.0-1-" + std::string(70, 'x');
  write("tree", "boot/vmlinuz-" + version, "long");
  write("tree", "boot/initrd.img-" + version, "long initrd");
  link("tree", "boot/vmlinuz", "/boot/vmlinuz-" + version);
  make_ext("disk", "tree");
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_EQ(as_text(found->kernel), "long");
  EXPECT_EQ(as_text(found->initrd), "long initrd");
}

TEST_F(KernelFinder, a_kernel_without_an_initrd_is_enough) {
  write("tree", "boot/vmlinuz-6.1.0-9-amd64", "kernel");
  make_ext("disk", "tree");
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_TRUE(found->initrd.empty());
}

TEST_F(KernelFinder, finds_the_root_in_an_mbr_partition) {
  make_debian("tree");
  make_ext("root", "tree");
  make_disk("disk", "label: dos\\nstart=2048,size=2048,type=82\\nstart=20480,type=83\\n", {{"root", 10}});
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_EQ(as_text(found->kernel), "kernel 10");
  EXPECT_EQ(found->root, "/dev/vda2");
}

TEST_F(KernelFinder, finds_the_root_in_a_logical_partition) {
  make_debian("tree");
  make_ext("root", "tree");
  make_disk("disk", "label: dos\\nstart=2048,size=100000,type=5\\nstart=4096,size=2048,type=83\\nstart=20480,size=20480,type=83\\n",
            {{"root", 10}});
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_THAT(found->root, StartsWith("/dev/vda"));
  EXPECT_EQ(as_text(found->initrd), "initrd 10");
}

TEST_F(KernelFinder, finds_the_kernel_in_a_gpt_partition_of_its_own_for_boot) {
  write("boot", "vmlinuz-6.1.0-10-amd64", "kernel");
  write("boot", "initrd.img-6.1.0-10-amd64", "initrd");
  write("root", "etc/fstab", "");
  write("root", "sbin/init", "");
  make_ext("boot.ext", "boot");
  make_ext("root.ext", "root");
  make_disk("disk", "label: gpt\\nstart=2048,size=20480\\nstart=40960,size=20480\\n", {{"boot.ext", 1}, {"root.ext", 20}});
  const auto found = find_kernel(path("disk"));
  ASSERT_TRUE(found) << found.error().sentence;
  EXPECT_EQ(as_text(found->kernel), "kernel");
  EXPECT_EQ(as_text(found->initrd), "initrd");
  EXPECT_EQ(found->root, "/dev/vda2");
}

TEST_F(KernelFinder, refuses_an_image_without_a_kernel) {
  write("tree", "etc/hostname", "guest");
  make_ext("disk", "tree");
  EXPECT_THAT(sentence("disk"), HasSubstr("holds no kernel"));
}

TEST_F(KernelFinder, refuses_an_unknown_file_system_and_names_it) {
  run("truncate -s 8M " + path("empty"));
  EXPECT_THAT(sentence("empty"), HasSubstr("holds no file system that can be read"));
  write(".", "xfs", "XFSB" + std::string(100000, 0));
  EXPECT_THAT(sentence("xfs"), HasSubstr("XFS"));
  write(".", "qcow", "QFI\xfb" + std::string(100000, 0));
  EXPECT_THAT(sentence("qcow"), HasSubstr("converted to raw"));
}

TEST_F(KernelFinder, refuses_a_file_system_that_is_cut_off) {
  make_debian("tree");
  make_ext("disk", "tree");
  run("truncate -s 1500 " + path("disk"));
  EXPECT_THAT(sentence("disk"), HasSubstr("cannot be read"));
}

TEST_F(KernelFinder, refuses_an_image_shorter_than_its_file_system) {
  make_debian("tree");
  make_ext("disk", "tree");
  run("truncate -s 7M " + path("disk"));
  EXPECT_THAT(sentence("disk"), HasSubstr("ends at 8 MiB and the disk at 7 MiB"));
}

TEST_F(KernelFinder, says_that_the_image_does_not_exist) {
  EXPECT_THAT(sentence("nowhere"), HasSubstr("does not exist"));
}

TEST(CompareVersions, numbers_compare_as_numbers) {
  EXPECT_LT(compare_versions("6.1.0-9-amd64", "6.1.0-10-amd64"), 0);
  EXPECT_GT(compare_versions("6.10.1", "6.9.12"), 0);
  EXPECT_EQ(compare_versions("6.1", "6.1"), 0);
  EXPECT_LT(compare_versions("6.1", "6.1.1"), 0);
  EXPECT_LT(compare_versions("6.1~rc1", "6.1.0"), 0);
  EXPECT_EQ(compare_versions("6.01", "6.1"), 0);
}

}  // namespace
}  // namespace pollux::storage
