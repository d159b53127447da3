// Random programs on both engines: see README.md.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "base/checksum.h"
#include "check.h"
#include "generator.h"
#include "minimise.h"

namespace pollux::test::translation {
namespace {

struct Options {
  u64 cases = 20000;
  u64 seed = 1;
  u64 from = 0;
  unsigned bits = 64;
  u64 failures = 5;   // after which it ends
  bool one = false;
  bool show = false;
  std::optional<u64> digest;  // of all ends, that other hosts have found
};

// Every fourth program is also cut into slices: those runs take most of the time.
bool sliced(const Options& options, u64 number) { return options.one || number % 4 == 0; }

void report(const Options& options, u64 number, const std::string& text) {
  const Program program = make_program(options.seed, number, options.bits);
  std::printf("case %lu: %s\n%s", number, text.c_str(), listing(program).c_str());
  const auto fails = [](const Program& p) { return !Check().run(p, true).empty(); };
  if (fails(program)) {
    const Program least = minimise(program, fails);
    std::printf("\nthe least that still fails (%s):\n%s%s", least.user ? "user" : "supervisor", listing(least).c_str(),
                Check().shortest(least).c_str());
    std::printf("\n  again: ./dev blocks --bits %u --seed %lu --case %lu\n\n", options.bits, options.seed, number);
  } else {
    std::printf("\n  alone it passes; with those before it: ./dev blocks --bits %u --seed %lu --from %lu --cases 2000\n\n",
                options.bits, options.seed, number > 1999 ? number - 1999 : 0);
  }
}

int run(const Options& options) {
  Check check;
  u64 failed = 0, done = 0, digest = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (u64 number = options.from; number < options.from + options.cases && failed < options.failures; ++number, ++done) {
    const Program program = make_program(options.seed, number, options.bits);
    if (options.show) std::printf("case %lu\n%s", number, listing(program).c_str());
    const std::string text = check.run(program, sliced(options, number));
    const u64 end = check.end_digest();
    digest = checksum(std::as_bytes(std::span(&end, 1)), digest);
    if (text.empty()) continue;
    ++failed;
    report(options, number, text);
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto& c = check.counters();
  std::printf("%lu programs, %lu failed; %.0f a second; translated code executed %.1f instructions a program, in %.1f entries, "
              "%.1f translations; %lu evictions\n",
              done, failed, double(done) / seconds, double(c.translated_instructions) / double(done),
              double(c.entered) / double(done), double(c.translations) / double(done), c.evictions);
  std::printf("digest of all ends: %016lx\n", digest);
  if (done >= 1000 && c.translated_instructions < 10 * done) {
    std::printf("too little of it: this tests the interpreter\n");
    return 1;
  }
  if (failed) return 1;
  if (options.digest && *options.digest != digest) {
    std::printf(
        "both engines agree, but on other hosts the programs ended with digest %016lx: find the first that differs by "
        "running fewer cases on both\n",
        *options.digest);
    return 1;
  }
  return 0;
}

bool parse(int count, char** words, Options& options) {
  for (int n = 1; n < count; ++n) {
    const std::string word = words[n];
    if (word == "--show") {
      options.show = true;
      continue;
    }
    if (n + 1 == count) return false;
    const u64 value = std::strtoull(words[++n], nullptr, 0);
    if (word == "--cases") options.cases = value;
    else if (word == "--seed") options.seed = value;
    else if (word == "--from") options.from = value;
    else if (word == "--bits" && (value == 32 || value == 64)) options.bits = unsigned(value);
    else if (word == "--failures") options.failures = value;
    else if (word == "--digest") options.digest = value;
    else if (word == "--case") options.from = value, options.cases = 1, options.one = true;
    else return false;
  }
  return true;
}

}  // namespace
}  // namespace pollux::test::translation

int main(int count, char** words) {
  using namespace pollux::test::translation;
  Options options;
  if (!parse(count, words, options)) {
    std::fprintf(stderr,
                 "usage: translation_test [--bits 64|32] [--cases N] [--seed S] [--from N] [--case N] [--failures N] "
                 "[--digest N] [--show]\n");
    return 2;
  }
  std::printf("seed %lu\n", options.seed);
  return run(options);
}
