#include "host/image_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "host/image_builder.h"

namespace pollux::host {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(ImageRecipe, takes_the_cloud_kernel_unless_another_is_named) {
  EXPECT_THAT(packages({}), Contains("linux-image-cloud-amd64"));
  const auto with_other = packages({.include = {"linux-image-amd64", "gcc"}});
  EXPECT_THAT(with_other, Not(Contains("linux-image-cloud-amd64")));
  EXPECT_THAT(with_other, Contains("linux-image-amd64"));
  EXPECT_THAT(with_other, Contains("gcc"));
}

TEST(ImageRecipe, takes_initramfs_tools_unless_another_maker_is_named) {
  EXPECT_THAT(packages({}), Contains("initramfs-tools"));
  EXPECT_THAT(packages({.include = {"tiny-initramfs"}}), Not(Contains("initramfs-tools")));
}

TEST(ImageRecipe, without_root_the_file_system_is_made_in_a_user_namespace) {
  EXPECT_EQ(file_system_command({}, "/w/t.tar", "/w", true).front(), "sh");
  EXPECT_EQ(file_system_command({}, "/w/t.tar", "/w", false).front(), "unshare");
}

struct Said {
  const char* program;
  const char* output;
  const char* sentence;
};

TEST(ImageRecipe, a_failure_is_explained_from_what_the_program_said) {
  const Said cases[] = {
      {"mmdebstrap", "Err:1 http://x InRelease\n  Temporary failure resolving 'x'\nE: apt-get update failed\n",
       "the Debian mirror cannot be reached"},
      {"mmdebstrap", "E: Unable to locate package nosuch\nE: apt-get failed\n", "no package nosuch"},
      {"mmdebstrap", "E: The repository 'http://x sid2 Release' does not have a Release file.\n", "no Debian release"},
      {"mmdebstrap", "tar: write error: No space left on device\n", "no space left"},
      {"mke2fs", "__populate_fs: Could not allocate block in ext2 filesystem while writing file\n", "--size"},
      {"mmdebstrap", "I: running sh -c '... echo pollux: the script failed; exit 1'\nhello\nsomething broke\n"
                     "pollux: the script failed\nE: setup failed: sh -c '... pollux: the script failed'\n", "something broke"},
      {"mmdebstrap", "I: running sh -c 'set -e\nprintf \"Failed to fetch\" \npollux: the script begins' exec /x\n"
                     "pollux: the script begins\nhello\nls: no such thing\npollux: the script failed\n"
                     "E: setup failed: E: command failed: set -e\nprintf\nI: removing tempdir\nE: mmdebstrap failed to run\n",
       "failed inside the new system: ls: no such thing"},
      {"mmdebstrap", "I: running sh -c '...'\npollux: the script begins\npollux: the script failed\nE: mmdebstrap failed to run\n",
       "failed inside the new system: it said nothing"},
      {"mmdebstrap", "Errors were encountered while processing:\n x\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n"
                     "E: setup failed: E: apt-get failed\nI: removing tempdir\nE: mmdebstrap failed to run\n",
       "mmdebstrap failed: E: Sub-process /usr/bin/dpkg"},
      {"mmdebstrap", "E: something else\nI: removing tempdir\n", "mmdebstrap failed: E: something else"},
  };
  for (const Said& said : cases)
    EXPECT_THAT(explain_failure({.script = "s"}, said.program, said.output).sentence, HasSubstr(said.sentence));
}

TEST(ImageBuilder, refuses_before_any_work_what_cannot_succeed) {
  const auto sentence = [](const ImageRequest& request) {
    const auto done = build_image(request, {});
    return done ? "built" : done.error().sentence;
  };
  EXPECT_THAT(sentence({.out = "/tmp/x", .size_bytes = 1 << 20}), HasSubstr("at least 256M"));
  EXPECT_THAT(sentence({.out = "/tmp/x", .script = "/nowhere/script"}), HasSubstr("does not exist"));
  const std::string script = testing::TempDir() + "image-recipe-test-script";
  std::ofstream(script) << "echo hello\n";
  EXPECT_THAT(sentence({.out = "/tmp/x", .script = script}), HasSubstr("does not begin with #!"));
}

}  // namespace
}  // namespace pollux::host
