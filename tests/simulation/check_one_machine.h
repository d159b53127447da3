// The promise as a whole, seen from outside: whatever left either side is an output of the one machine that survived, so
// that no client ever saw a value that the survivor does not know of, sees one again with another content, or one too
// high for what was asked.
#pragma once

#include <array>
#include <unordered_set>

#include "base/checksum.h"
#include "checker.h"
#include "machine/counter_machine.h"

namespace pollux::simulation {

class OneMachine final : public Checker {
 public:
  OneMachine() : Checker("one machine") {}

  void made(Side side, const door::OutputAt& output) override { history_[std::size_t(side)].insert(print(output.output)); }
  void performed(Side side, const door::Output& output) override {
    seen_[std::size_t(side)].push_back(print(output));
  }
  void live(Side side, failover::Generation, door::Position) override { survivor_ = side; }
  void client_sent() override { ++requests_; }
  void client_got(ByteSpan frame) override {
    const u64 counter = machine::packet_counter(frame);
    if (counter > requests_) fail("the client saw a value that nobody asked for");
  }
  void event(Side, const failover::Event& event) override {
    if (event.kind == failover::EventKind::kDiverged) fail("the copies differ: " + event.sentence);
  }
  void conclude(const sim::Outcome&) override {
    const auto& truth = history_[std::size_t(survivor_)];
    for (const Side side : {Side::kA, Side::kB})
      for (const u64 seen : seen_[std::size_t(side)])
        if (!truth.contains(seen)) return fail(std::string(sim::name(side)) + " let out what the surviving machine never made");
  }

 private:
  static u64 print(const door::Output& output) {
    if (const auto* packet = std::get_if<door::PacketOutput>(&output)) return checksum(packet->frame, 1);
    if (const auto* console = std::get_if<door::ConsoleOutput>(&output)) return checksum(console->bytes, 2);
    if (const auto* disk = std::get_if<door::DiskOutput>(&output)) {
      return checksum(disk->data, disk->request << 20 ^ disk->offset << 4 ^ u64(disk->operation));
    }
    return output.index();
  }
  std::array<std::unordered_set<u64>, 2> history_;
  std::array<std::vector<u64>, 2> seen_;
  Side survivor_ = Side::kA;
  u64 requests_ = 0;
};

}  // namespace pollux::simulation
