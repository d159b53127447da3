// The oracle test of the engines: see README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>

#include "compare.h"
#include "generator.h"
#include "guest.h"
#include "native.h"

namespace pollux::test {
namespace {

struct Options {
  u64 cases = 200000;
  u64 seed = 1;
  u64 only_case = ~u64(0);
  unsigned code_bits = 0;  // 0: both
  std::string form;
  Guest::Engine engine = Guest::Engine::kInterpret;
  unsigned show = 5;       // failures described in full
  bool list = false;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options), guest_(options.engine) {}

  void with(unsigned code_bits, u64 cases) {
    const Generator generator(code_bits);
    std::vector<u32> rows;
    for (u32 n = 0; n < generator.catalogue().rows.size(); ++n) {
      const std::string& name = generator.catalogue().rows[n].name;
      if (options_.form.empty() || name == options_.form || name.substr(0, name.find(' ')) == options_.form) {
        rows.push_back(n);
      }
    }
    untestable_ += unsigned(generator.catalogue().left_out.size());
    if (options_.list) {
      for (const u32 n : rows) std::printf("%u-bit %s\n", code_bits, generator.catalogue().rows[n].name.c_str());
      for (const std::string& name : generator.catalogue().left_out) {
        std::printf("%u-bit left out: %s\n", code_bits, name.c_str());
      }
      return;
    }
    if (rows.empty()) return;
    const u64 before = guest_.translated(), passed = passed_;
    for (u64 number = 0; number < cases;) {
      const auto inputs = native_.inputs();
      unsigned count = 0;
      numbers_.clear();
      for (; count < Native::kBatch && number < cases; ++number) {
        const u64 n = options_.only_case != ~u64(0) ? options_.only_case : number;
        if (generator.make(options_.seed, n, rows[n % rows.size()], inputs[count])) {
          numbers_.push_back(n);
          ++count;
        }
      }
      native_.start(count);
      for (unsigned n = 0; n < count; ++n) guest_.run(inputs[n], ours_[n]);
      const auto theirs = native_.finish();
      for (unsigned n = 0; n < count; ++n) {
        check(generator.catalogue().rows[inputs[n].row], inputs[n], theirs[n], ours_[n], numbers_[n]);
      }
    }
    if (options_.engine == Guest::Engine::kTranslate && code_bits == 64) {
      note_translated(guest_.translated() - before, passed_ - passed);
    }
  }

  int report() const {
    for (const auto& [what, count] : failures_) std::printf("%8lu  %s\n", count, what.c_str());
    std::printf("forms left out as not comparable from user mode: %u\n", untestable_);
    std::printf("%lu passed, %lu failed\n", passed_, failed_);
    return failed_ ? 1 : 0;
  }

 private:
  // Faults and what the translator leaves to the interpreter are the rest.
  void note_translated(u64 translated, u64 all) {
    std::printf("executed as translated code: %lu of %lu\n", translated, all);
    if (options_.form.empty() && all > 10000 && translated < all / 2) {
      std::printf("too few: this tests the interpreter\n");
      ++failed_;
    }
  }

  void check(const Row& row, const Input& in, const Output& theirs, const Output& ours, u64 number) {
    if (theirs.vector == Native::kLost) {
      std::printf("lost: %s case %lu\n", row.name.c_str(), number);
      ++failed_;
      return;
    }
    const std::string names = compare(row, in, theirs, ours);
    if (names.empty()) {
      ++passed_;
      return;
    }
    ++failed_;
    const std::string kind = std::to_string(in.code_bits) + "-bit " + row.name + ": " + names.substr(0, 60);
    if (failures_[kind]++ == 0 && shown_ < options_.show) {
      ++shown_;
      std::printf("%s  again: instruction_test%s --bits %u --seed %lu --case %lu%s%s%s\n\n",
                  describe(row, in, theirs, ours).c_str(),
                  options_.engine == Guest::Engine::kTranslate ? " --engine translate" : "", in.code_bits, options_.seed, number,
                  options_.form.empty() ? "" : " --form '", options_.form.c_str(), options_.form.empty() ? "" : "'");
    }
  }

  Options options_;
  Native native_;
  Guest guest_;
  Output ours_[Native::kBatch];
  std::vector<u64> numbers_;
  std::map<std::string, u64> failures_;
  u64 passed_ = 0, failed_ = 0;
  unsigned untestable_ = 0, shown_ = 0;
};

bool parse(int count, char** words, Options& options) {
  for (int n = 1; n < count; ++n) {
    const std::string word = words[n];
    if (word == "--list") {
      options.list = true;
      continue;
    }
    if (n + 1 == count) return false;
    const char* const value = words[++n];
    if (word == "--cases") options.cases = std::strtoull(value, nullptr, 0);
    else if (word == "--seed") options.seed = std::strtoull(value, nullptr, 0);
    else if (word == "--case") options.only_case = std::strtoull(value, nullptr, 0);
    else if (word == "--engine" && value == std::string("translate")) options.engine = Guest::Engine::kTranslate;
    else if (word == "--engine" && value == std::string("interpret")) options.engine = Guest::Engine::kInterpret;
    else if (word == "--form") options.form = value;
    else if (word == "--bits") options.code_bits = unsigned(std::strtoul(value, nullptr, 0));
    else if (word == "--show") options.show = unsigned(std::strtoul(value, nullptr, 0));
    else return false;
  }
  return true;
}

}  // namespace
}  // namespace pollux::test

int main(int count, char** words) {
  using namespace pollux::test;
  Options options;
  if (!parse(count, words, options)) {
    std::fprintf(stderr,
                 "usage: instruction_test [--cases N] [--seed S] [--form FORM] [--bits 64|32] [--case N] [--show N]\n"
                 "                        [--engine interpret|translate] [--list]\n");
    return 2;
  }
  std::printf("seed %lu\n", options.seed);
  static Run run(options);
  if (options.only_case != ~pollux::u64(0)) options.cases = 1;
  const pollux::u64 each = options.only_case != ~pollux::u64(0) ? 1 : options.cases;
  if (options.code_bits != 32) run.with(64, options.code_bits ? each : (each + 1) * 3 / 4);
  if (options.code_bits != 64) run.with(32, options.code_bits ? each : each / 4);
  return run.report();
}
