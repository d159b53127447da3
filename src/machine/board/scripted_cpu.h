// A processor for tests of the board: at given positions it makes given bus accesses; it takes interrupts when it can
// and notes where. Everything else is one position after the other. Tests only.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "cpu/bus.h"
#include "cpu/cpu.h"

namespace pollux::machine::board {

class ScriptedCpu final : public cpu::Cpu {
 public:
  using Action = std::function<void(cpu::Bus&)>;
  struct Taken {
    u64 position;
    u8 vector;
    bool operator==(const Taken&) const = default;
  };

  explicit ScriptedCpu(cpu::Bus& bus) : bus_(bus) { state_.rflags = 0x202; }

  // What the instruction at a position does; halts: where it is a HLT.
  std::map<u64, Action> script;
  std::vector<u64> halts;
  // After each taken interrupt, e.g. writes EOI. Takes no position.
  Action handler = [](cpu::Bus& bus) { bus.mmio_write(memory::PhysAddr(0xfee000b0), 4, 0); };
  std::vector<Taken> taken;
  unsigned nmis = 0;

  cpu::StopReason run(door::Position until, EarlyStop = {}) override {
    stop_ = false;
    while (position_ < until.value) {
      if (line_ && state_.rflags & 0x200) {
        state_.halted = false;
        taken.push_back({position_, bus_.acknowledge_interrupt()});
        handler(bus_);
        continue;
      }
      if (state_.halted) return cpu::StopReason::kHalted;
      if (const auto it = script.find(position_); it != script.end()) it->second(bus_);
      if (std::find(halts.begin(), halts.end(), position_) != halts.end()) state_.halted = true;
      ++position_;
      if (stop_) return cpu::StopReason::kRequested;
    }
    return cpu::StopReason::kPosition;
  }
  door::Position position() const override { return door::Position(position_); }
  void set_position(door::Position position) override { position_ = position.value; }
  x86::State& state() override { return state_; }
  void state_changed() override {}
  void set_interrupt_line(bool raised) override { line_ = raised; }
  void raise_nmi() override { ++nmis; }
  void request_stop() override { stop_ = true; }
  void visit(Visitor& v) override {
    state_.visit(v);
    v.field("position", position_);
  }

 private:
  cpu::Bus& bus_;
  x86::State state_;
  u64 position_ = 0;
  bool line_ = false;
  bool stop_ = false;
};

}  // namespace pollux::machine::board
