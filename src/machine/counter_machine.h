// The trivial machine: a counter that ticks positions, now and then does what machines do (sends packets, writes and
// reads overlapping blocks of a disk, prints, idles), and mixes every input into its state. It keeps the layers above
// the machine honest without booting anything: two of them that were driven alike have equal digests and outputs, and
// any input that was lost, doubled, changed or moved shows in the digest soon after.
//
// Behaviour: at positions drawn from the state it takes one random action. A packet in raises the counter by one and
// is answered, at the next position, by a packet that holds the counter (packet_counter()).
// Used by tests of session, failover and simulation. Not here: anything that a guest could run.
#pragma once

#include "machine/machine.h"
#include "machine/virtual_clock.h"

namespace pollux::machine {

struct CounterConfig {
  u64 seed = 1;
  u64 rate = u64{100} << 32;      // virtual nanoseconds per position, 32.32
  u64 mean_gap = 1000;            // positions between actions, on average
  u64 max_idle_ns = 20'000'000;   // 0: never idles
  u64 disk_blocks = 64;           // of 512 bytes; 0: no disk. Requests go to disk 0
  u64 power_off_at = 0;           // a position; 0: never
  u8 packets = 1, console = 1, entropy = 1;  // 0: does not
  bool operator==(const CounterConfig&) const = default;
};

Bytes encode(const CounterConfig& config);

class CounterMachine final : public Machine {
 public:
  static constexpr u64 kBlockBytes = 512;
  static constexpr u64 kMaxInFlight = 8;

  explicit CounterMachine(const CounterConfig& config);

  RunStop run(door::Position until, EarlyStop early = {}) override;  // its runs are short: early is not looked at
  void deliver(DeliverKey key, const door::Input& input) override;
  std::vector<door::OutputAt> take_outputs() override;
  door::Position position() const override { return position_; }
  door::VirtualNs now() const override { return clock_.at(position_); }
  door::VirtualNs idle_until() const override { return idle_until_; }
  void skip_idle() override;
  u64 entropy_wanted() const override { return entropy_wanted_; }
  u64 digest() override;
  std::vector<std::pair<std::string, u64>> component_digests() override;
  void visit(Visitor& v) override;
  Bytes configuration() const { return encode(config_); }

  u64 counter() const { return counter_; }

 private:
  u64 draw();
  void mix(u64 value);
  void mix(ByteSpan bytes);
  void act();
  void act_disk();
  void emit(door::Output output) { outputs_.push_back({position_, std::move(output)}); }
  void plan_action() { next_action_ = position_ + 1 + draw() % (2 * config_.mean_gap); }
  bool idle() const { return idle_ != 0; }

  CounterConfig config_;
  VirtualClock clock_;
  door::Position position_;
  door::Position next_action_;
  u64 state_ = 0;
  u64 counter_ = 0;
  u64 replies_due_ = 0;
  u64 next_request_ = 0;
  std::vector<u64> in_flight_;  // request numbers
  u64 entropy_wanted_ = 0;
  door::VirtualNs idle_until_ = door::kNever;
  u8 idle_ = 0;
  u8 off_ = 0;
  std::vector<door::OutputAt> outputs_;  // empty between calls of a session
};

// The counter in a packet that a CounterMachine sent as an answer; 0 for any other packet.
u64 packet_counter(ByteSpan frame);

class CounterMachineFactory final : public MachineFactory {
 public:
  Result<std::unique_ptr<Machine>> make(ByteSpan configuration) override;
};

}  // namespace pollux::machine
