// A machine on a simulated host: running takes the host's time, so that anything may happen meanwhile; and the checkers
// see what is delivered and how far it runs.
#pragma once

#include "machine/machine.h"
#include "sim/shared.h"

namespace pollux::sim {

class TimedMachine final : public machine::Machine {
 public:
  TimedMachine(std::unique_ptr<machine::Machine> inner, Shared& shared, Side side, u64 ns_per_position)
      : inner_(std::move(inner)), shared_(shared), side_(side), ns_per_position_(ns_per_position) {}

  machine::RunStop run(door::Position until, EarlyStop early = {}) override {
    const door::Position from = inner_->position();
    if (!shared_.host(side_).alive()) return machine::RunStop::kPosition;
    const machine::RunStop stop = inner_->run(until, early);
    shared_.tell(&Observer::ran, side_, inner_->position());
    const u64 took_ns = (inner_->position() - from) * ns_per_position_;
    if (took_ns > 0) shared_.host(side_).sleep(took_ns);
    return stop;
  }
  void deliver(machine::DeliverKey key, const door::Input& input) override {
    shared_.tell(&Observer::delivered, side_, inner_->position(), input);
    inner_->deliver(key, input);
  }
  std::vector<door::OutputAt> take_outputs() override { return inner_->take_outputs(); }
  door::Position position() const override { return inner_->position(); }
  door::VirtualNs now() const override { return inner_->now(); }
  door::VirtualNs idle_until() const override { return inner_->idle_until(); }
  void skip_idle() override { inner_->skip_idle(); }
  u64 entropy_wanted() const override { return inner_->entropy_wanted(); }
  u64 digest() override { return inner_->digest(); }
  std::vector<std::pair<std::string, u64>> component_digests() override { return inner_->component_digests(); }
  void visit(Visitor& v) override { inner_->visit(v); }

 private:
  std::unique_ptr<machine::Machine> inner_;
  Shared& shared_;
  Side side_;
  u64 ns_per_position_;
};

}  // namespace pollux::sim
