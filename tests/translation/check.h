// Runs one program in several ways and says whether they agree.
//
// What is verified: the digest of all state, memory and device accesses is equal
//  1. between the interpreter and the translator, run whole, at each event and at the end;
//  2. between both, cut at random positions, or where the translator ends early that is asked to, at each cut and at the
//     end, with the end of 1;
//  3. between the translator and an interpreter that took over its saved state at a cut;
//  4. between the interpreter and the engine that checks the translator, whole; it finds no difference itself.
// What is not: programs of other modes than 64-bit code and compatibility mode, and whether the interpreter is right
// (../instruction).
#pragma once

#include "machine.h"

namespace pollux::test::translation {

class Check {
 public:
  explicit Check(u64 code_bytes = 2 << 20)
      : interpreter_(Engine::kInterpret),
        translator_(Engine::kTranslate, code_bytes),
        successor_(Engine::kInterpret),
        checker_(Engine::kCheck, code_bytes) {}

  // sliced: also 2, 3 and 4. Empty: all agree; else where they do not, with both states side by side.
  std::string run(const Program& program, bool sliced);
  // For a program that run() complains about: the shortest run that shows it, and the way of the interpreter to there.
  std::string shortest(const Program& program);
  // Of the end of the last run, when all agreed.
  u64 end_digest() const { return end_digest_; }
  const cpu::translate::Counters& counters() const { return translator_.translator()->counts(); }

 private:
  static constexpr u64 kEnd = 3000;  // position at which a run ends that has not halted

  struct Finish {
    u64 position;
    u64 digest;
    cpu::StopReason reason;
    bool operator==(const Finish&) const = default;
  };
  std::string whole(const Program& program, Machine& other, u64 end = kEnd);
  std::string cut(const Program& program);
  // Both machines to the position; how they differ, if they do.
  std::string step(Machine& a, Machine& b, u64 until, const char* what, bool& ended);
  // The same, where b has run already and says why it stopped.
  std::string follow(Machine& a, Machine& b, cpu::StopReason reason, u64 until, const char* what, bool& ended);
  std::string early_steps(u64 until, Random& random, bool& ended);
  std::string difference(Machine& a, Machine& b, const Finish& x, const Finish& y, const char* what);

  Image image_;
  Machine interpreter_, translator_, successor_, checker_;
  bool shut_down_ = false;  // by the last step: a machine ends there
  u64 end_digest_ = 0;
};

}  // namespace pollux::test::translation
