#include "host/subprocess.h"

#include <gtest/gtest.h>

namespace pollux::host {
namespace {

TEST(Subprocess, collects_both_streams_and_the_exit_code) {
  std::vector<std::string> lines;
  const auto done = run_subprocess({{"sh", "-c", "echo one; echo two >&2; exit 3"},
                                    [&](const std::string& line) { lines.push_back(line); }});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 3);
  EXPECT_EQ(done->output, "one\ntwo\n");
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
}

TEST(Subprocess, tells_which_signal_ended_the_program) {
  const auto done = run_subprocess({{"sh", "-c", "kill -9 $$"}, {}});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 128 + 9);
}

TEST(Subprocess, keeps_the_end_of_a_long_output) {
  const auto done = run_subprocess({{"sh", "-c", "yes | head -c 2000000; echo end"}, {}});
  ASSERT_TRUE(done);
  EXPECT_LE(done->output.size(), std::size_t{256} << 10);
  EXPECT_TRUE(done->output.ends_with("end\n"));
}

TEST(Subprocess, says_that_a_program_is_not_installed) {
  const auto done = run_subprocess({{"no-such-program-here"}, {}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().sentence, "the program no-such-program-here is not installed");
}

TEST(ShellQuote, means_exactly_the_text_to_a_shell) {
  const std::string text = "a 'quoted' $HOME \\ `x` \"y\"";
  const auto done = run_subprocess({{"sh", "-c", "printf %s " + shell_quote(text)}, {}});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output, text);
}

}  // namespace
}  // namespace pollux::host
