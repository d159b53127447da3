// A world for tests of sessions: a clock that moves as the machine runs and waits, a disk in memory, and a script of
// inputs that arrive at given times. One thread; everything from a seed. Tests only (src/sim has the full simulation).
#pragma once

#include <map>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "machine/machine.h"
#include "world/byte_sink.h"
#include "world/world.h"

namespace pollux::session {

class ScriptedWorld final : public world::World {
 public:
  ScriptedWorld(machine::Machine& machine, u64 seed) : machine_(machine), random_(seed), disk_(64 * 1024) {}

  // The script.
  double ns_per_instruction = 50;  // how fast the host runs the machine; may change at any time
  u64 disk_latency_ns = 100'000;   // on average; completions pass each other
  u64 unix_at_zero = 1'700'000'000'000'000'000;
  u64 wake_late_ns = 0;            // how late a wait ends after its deadline, at most
  bool complete_twice = false;     // a broken disk
  void at(u64 time_ns, door::Input input) { script_.emplace(time_ns, std::move(input)); }
  // count inputs of every kind at random times up to end_ns, then a StopInput.
  void random_script(u64 count, u64 end_ns) {
    for (u64 i = 0; i < count; ++i) at(random_.below(end_ns), some_input());
    at(end_ns, door::StopInput{});
  }

  // What happened.
  std::vector<door::Output> performed;
  u64 waits = 0;
  i64 worst_lead_ns = 0;  // of virtual time over the host's, seen at any wait; only after time_from_zero is set
  i64 worst_lag_ns = 0;
  bool watch_time = false;

  u64 now_ns() override {
    const u64 at = machine_.position().value;
    time_ns_ += u64(double(at - last_position_) * ns_per_instruction);
    last_position_ = at;
    arrival_ = !script_.empty() && script_.begin()->first <= time_ns_;
    return time_ns_;
  }
  // Time in which the machine does not run, spent by the session itself.
  void pass(u64 ns) { time_ns_ += ns; }
  u64 unix_ns() override { return unix_at_zero + now_ns(); }
  void fill_random(std::span<std::byte> bytes) override {
    for (auto& byte : bytes) byte = std::byte(random_.next());
  }

  void perform(const door::Output& output) override {
    performed.push_back(output);
    const auto* request = std::get_if<door::DiskOutput>(&output);
    if (!request) return;
    door::DiskCompletionInput done{request->disk, request->request, door::DiskStatus::kOk, {}};
    const auto from = disk_.begin() + std::ptrdiff_t(request->offset);
    if (request->operation == door::DiskOperation::kRead)
      done.data.assign(from, from + std::ptrdiff_t(request->length));
    if (request->operation == door::DiskOperation::kWrite) std::copy(request->data.begin(), request->data.end(), from);
    at(now_ns() + random_.below(2 * disk_latency_ns + 1), done);
    if (complete_twice) at(now_ns() + 3 * disk_latency_ns, done);
  }

  void wait(u64 deadline_ns, std::vector<door::Input>& arrived) override {
    ++waits;
    now_ns();
    look_at_time();
    if (arrive(arrived) || notified_ || deadline_ns <= time_ns_) {
      notified_ = false;
      return;
    }
    const u64 next = script_.empty() ? ~u64{0} : script_.begin()->first;
    POLLUX_CHECK(std::min(next, deadline_ns) != ~u64{0}, "the machine waits for something that never comes");
    time_ns_ = std::min(next, deadline_ns);
    if (time_ns_ == deadline_ns && wake_late_ns > 0) time_ns_ += random_.below(wake_late_ns);
    arrive(arrived);
  }
  void notify() override { notified_ = true; }
  const std::atomic<bool>* arrival() const override { return &arrival_; }

 private:
  bool arrive(std::vector<door::Input>& arrived) {
    bool any = false;
    while (!script_.empty() && script_.begin()->first <= time_ns_) {
      arrived.push_back(std::move(script_.begin()->second));
      script_.erase(script_.begin());
      any = true;
    }
    arrival_ = false;
    return any;
  }
  void look_at_time() {
    if (!watch_time || machine_.idle_until() != door::kNever) return;  // an idle machine's time stands still
    const i64 lead = i64(machine_.now().value) - i64(time_ns_);
    worst_lead_ns = std::max(worst_lead_ns, lead);
    worst_lag_ns = std::max(worst_lag_ns, -lead);
  }
  door::Input some_input() {
    Bytes bytes(1 + random_.below(100));
    for (auto& byte : bytes) byte = std::byte(random_.next());
    switch (random_.below(6)) {
      case 0: return door::ConsoleInput{bytes};
      case 1: return door::LinkInput{0, random_.chance(0.5)};
      case 2: return door::PowerButtonInput{};
      case 3: return door::DeviceInput{door::DeviceChange::kResizeDisk, 0, random_.next()};
      default: return door::PacketInput{0, bytes};
    }
  }

  machine::Machine& machine_;
  Random random_;
  Bytes disk_;
  std::multimap<u64, door::Input> script_;
  u64 time_ns_ = 0;
  u64 last_position_ = 0;
  bool notified_ = false;
  std::atomic<bool> arrival_ = false;
};

// A log file in memory, on a disk with so much room.
struct MemorySink final : world::ByteSink {
  Bytes bytes;
  std::size_t room = ~std::size_t{0};
  bool synced = false;

  Result<void> write(ByteSpan more) override {
    const std::size_t fits = std::min(more.size(), room - bytes.size());
    bytes.insert(bytes.end(), more.begin(), more.begin() + std::ptrdiff_t(fits));
    if (fits < more.size()) return fail(ErrorKind::kEnvironment, "the disk under the log is full");
    return {};
  }
  Result<void> sync(Survives what) override {
    synced = what == Survives::kHost;
    return {};
  }
};

}  // namespace pollux::session
