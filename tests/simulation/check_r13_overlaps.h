// R13: of two disk requests of one side that overlap, one writing, never are both in flight at the disk.
#pragma once

#include <vector>

#include "checker.h"

namespace pollux::simulation {

class Overlaps final : public Checker {
 public:
  Overlaps() : Checker("R13") {}

  void disk_started(Side side, const door::DiskOutput& request) override {
    for (const auto& [other_side, other] : in_flight_) {
      if (other_side == side && overlap(request, other)) fail("two overlapping requests are in flight together");
    }
    in_flight_.emplace_back(side, request);
  }
  void disk_ended(Side side, const door::DiskOutput& request) override {
    for (auto i = in_flight_.begin(); i != in_flight_.end(); ++i) {
      if (i->first == side && i->second.request == request.request) {
        in_flight_.erase(i);
        return;
      }
    }
  }

 private:
  static bool overlap(const door::DiskOutput& a, const door::DiskOutput& b) {
    using enum door::DiskOperation;
    if (a.operation == kFlush || b.operation == kFlush || (a.operation == kRead && b.operation == kRead)) return false;
    return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
  }
  std::vector<std::pair<Side, door::DiskOutput>> in_flight_;
};

}  // namespace pollux::simulation
