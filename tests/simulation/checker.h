// A checker watches a whole simulated run for one rule and remembers the first time that it was broken.
#pragma once

#include <string>

#include "sim/pair_run.h"

namespace pollux::simulation {

using sim::Ended;
using sim::Side;

class Checker : public sim::Observer {
 public:
  explicit Checker(const char* rule) : rule_(rule) {}
  void begin(const sim::Scheduler& scheduler) override { scheduler_ = &scheduler; }

  // After the run.
  virtual void conclude(const sim::Outcome&) {}

  const char* rule() const { return rule_; }
  const std::string& failure() const { return failure_; }  // empty: kept
  u64 failed_ns() const { return failed_ns_; }

 protected:
  void fail(std::string what) {
    if (!failure_.empty()) return;
    failed_ns_ = now_ns();
    failure_ = std::string(rule_) + " at " + std::to_string(now_ns() / 1000) + " us: " + what;
  }
  u64 now_ns() const { return scheduler_->now_ns(); }

 private:
  const char* rule_;
  const sim::Scheduler* scheduler_ = nullptr;
  std::string failure_;
  u64 failed_ns_ = 0;
};

inline std::string text(door::Position position) { return std::to_string(position.value); }

}  // namespace pollux::simulation
