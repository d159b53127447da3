#include "api/machine_file.h"

#include <fstream>

#include <gtest/gtest.h>

namespace pollux::api {
namespace {

Result<RunOptions> read_text(const std::string& text) {
  const std::string path = testing::TempDir() + "/machine_file_test.toml";
  std::ofstream(path) << text;
  return read_machine_file(path, {});
}

TEST(MachineFile, SaysTheSameAsTheOptions) {
  const auto options = read_text(
      "name = 'web'\nmemory = '2G'\ndisk = ['a.img', 'b.img,ro']\n"
      "cpus = 4\nnet = 'switch=/run/s,mac=52:54:00:00:00:01'\nclock = 'virtual'\nbackup = 'other:7000'\n");
  ASSERT_TRUE(options) << options.error().sentence;
  EXPECT_EQ(options->machine.name, "web");
  EXPECT_EQ(options->machine.memory_bytes, u64{2} << 30);
  EXPECT_EQ(options->machine.cpus, 4u);
  ASSERT_EQ(options->machine.disks.size(), 2u);
  EXPECT_TRUE(options->machine.disks[1].read_only);
  ASSERT_EQ(options->machine.nets.size(), 1u);
  EXPECT_EQ(options->machine.nets[0].target, "/run/s");
  EXPECT_EQ(options->machine.clock, ClockKind::kVirtual);
  EXPECT_EQ(options->pair.peer, "other:7000");
}

TEST(MachineFile, SaysHowAPairTrustsEachOther) {
  const auto options = read_text(
      "cert = 'a.pem'\ncert-key = 'a.key'\nca = 'ca.pem'\nplain-text = false\ntimeout-ms = 500\nkey = 'k'\n");
  ASSERT_TRUE(options) << options.error().sentence;
  EXPECT_EQ(options->pair.certificate, "a.pem");
  EXPECT_EQ(options->pair.certificate_key, "a.key");
  EXPECT_EQ(options->pair.authority, "ca.pem");
  EXPECT_EQ(options->pair.key_file, "k");
  EXPECT_FALSE(options->pair.plain_text);
  EXPECT_EQ(options->pair.timeout_ms, 500u);
}

TEST(MachineFile, ErrorsNameLineAndColumn) {
  for (const auto& [text, where] : {std::pair{"name = 'a'\nmemory = = 3\n", ":2:"},
                                    std::pair{"name = 'a'\nmemroy = '1G'\n", ":2:10: a machine file has no key 'memroy'"},
                                    std::pair{"engine = 'magic'\n", ":1:10: engine is 'interpret' or"},
                                    std::pair{"timeout-ms = 5\n", ":1:14: timeout-ms is a number from 50 to 60000"},
                                    std::pair{"plain-text = 'yes'\n", ":1:14: plain-text is true or false"},
                                    std::pair{"memory = 5\n", ":1:10: memory wants a text"},
                                    std::pair{"\n\nmemory = 'lots'\n", ":3:10: a size is"},
                                    std::pair{"cpus = 9\n", ":1:8: cpus is a number from 1 to 8"},
                                    std::pair{"cpus = true\n", ":1:8: cpus wants a number"}}) {
    const auto options = read_text(text);
    ASSERT_FALSE(options);
    EXPECT_NE(options.error().sentence.find(where), std::string::npos) << options.error().sentence;
  }
}

TEST(MachineFile, AMissingFileIsNamed) {
  const auto options = read_machine_file("/does/not/exist.toml", {});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().sentence.find("/does/not/exist.toml"), std::string::npos);
}

TEST(MachineFile, AFolderIsRefused) {
  const auto options = read_machine_file("/", {});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().sentence.find("is a folder"), std::string::npos);
}

TEST(Sizes, HaveSuffixesAndDoNotOverflow) {
  EXPECT_EQ(*parse_size("1G"), u64{1} << 30);
  EXPECT_EQ(*parse_size("4096"), 4096u);
  for (const char* bad : {"", "G", "1T", "1GG", "-1", "99999999999999G"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Cpus, AreFromOneToEight) {
  EXPECT_EQ(*parse_cpus("1"), 1u);
  EXPECT_EQ(*parse_cpus("8"), 8u);
  for (const char* bad : {"", "0", "9", "-1", "2x", "4294967298"}) EXPECT_FALSE(parse_cpus(bad)) << bad;
}

TEST(Networks, NameASwitchOrATap) {
  EXPECT_EQ(parse_net("tap=tap0")->kind, NetKind::kTap);
  for (const char* bad : {"", "switch", "switch=", "mac=1", "bridge=b"}) EXPECT_FALSE(parse_net(bad)) << bad;
}

}  // namespace
}  // namespace pollux::api
