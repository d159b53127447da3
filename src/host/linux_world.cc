#include "host/linux_world.h"

#include <cstdio>

#include "base/check.h"
#include "host/clock.h"

namespace pollux::host {

Result<std::unique_ptr<LinuxWorld>> LinuxWorld::create(LinuxWorldOptions options) {
  std::unique_ptr<LinuxWorld> world(new LinuxWorld(std::move(options)));
  if (Result<void> opened = world->open(); !opened) return pass(opened);
  return world;
}

LinuxWorld::LinuxWorld(LinuxWorldOptions options) : options_(std::move(options)) {}

LinuxWorld::~LinuxWorld() {
  reactor_.stop();
  disks_.reset();  // waits; completions still go to the queue
  if (console_) console_->finish();
}

Result<void> LinuxWorld::open() {
  queue_.set_quiet(true);
  disks_ = std::make_unique<DiskService>(
      options_.disks, options_.write_policy, options_.engine,
      DiskService::Sinks{[this](door::DiskCompletionInput completion) { queue_.push(std::move(completion)); },
                         [this](const std::string& line) { tell(line); }});
  if (Source* source = disks_->source()) reactor_.add(*source);
  for (u32 i = 0; i < options_.nics.size(); ++i) {
    if (Result<void> opened = open_nic(i); !opened) return opened;
  }
  if (options_.start == Start::kLive) {
    if (Result<void> live = go_live(0); !live) return live;
  }
  // The terminal last: nothing after it fails, so no sentence is printed in raw mode.
  Result<std::unique_ptr<Console>> console =
      make_console(options_.console, {[this](Bytes typed) { queue_.push(door::ConsoleInput{std::move(typed)}); },
                                      [this] { queue_.push(door::StopInput{}); },
                                      [this] { queue_.push(door::PowerButtonInput{}); }, [this] { reactor_.wake(); }});
  if (!console) return pass(console);
  console_ = std::move(*console);
  for (Source* source : console_->sources()) reactor_.add(*source);
  if (options_.stop_signals) {
    signals_ = std::make_unique<StopSignals>([this] { queue_.push(door::StopInput{}); },
                                             [this] { queue_.push(door::PowerButtonInput{}); });
    reactor_.add(*signals_);
  } else {
    ignore_write_signals();
  }
  reactor_.start();
  return {};
}

Result<void> LinuxWorld::open_nic(u32 index) {
  const NicOptions& options = options_.nics[index];
  Nic::Sinks sinks{
      [this, index](Bytes frame) { queue_.push(door::PacketInput{index, std::move(frame)}); },
      [this, index](bool up) {
        if (live_) queue_.push(door::LinkInput{index, up});  // go_live() tells what a quiet world kept to itself
      },
      [this](const std::string& line) { tell(line); }};
  const auto wake = [this] { reactor_.wake(); };
  auto nic = options.kind == NicOptions::Kind::kSwitch ? make_switch_nic(options.target, std::move(sinks), wake)
                                                       : make_tap_nic(options.target, std::move(sinks), wake);
  if (!nic) return pass(nic);
  nics_.push_back(std::move(*nic));
  reactor_.add(*nics_.back());
  return {};
}

Result<void> LinuxWorld::go_live(u64 wait_ms, Claim claim) {
  if (live_) return {};
  const u64 deadline = monotonic_ns() + wait_ms * kNanosecondsPerMs;
  for (std::size_t i = 0; i < options_.disks.size(); ++i) {
    const u64 now = monotonic_ns();
    const u64 left_ms = deadline > now ? (deadline - now) / kNanosecondsPerMs : 0;
    Result<void> acquired = options_.disks[i]->acquire(left_ms);
    if (acquired) continue;
    if (claim == Claim::kTakeOver) {
      options_.disks[i]->take_over();
      continue;
    }
    while (i-- > 0) options_.disks[i]->release();
    return acquired;
  }
  live_ = true;
  queue_.set_quiet(false);
  if (options_.start == Start::kQuiet) {
    for (u32 i = 0; i < nics_.size(); ++i) queue_.push(door::LinkInput{i, nics_[i]->up()});
  }
  return {};
}

u64 LinuxWorld::now_ns() { return monotonic_ns(); }
u64 LinuxWorld::unix_ns() { return host::unix_ns(); }
void LinuxWorld::fill_random(std::span<std::byte> bytes) { host::fill_random(bytes); }
void LinuxWorld::wait(u64 deadline_ns, std::vector<door::Input>& arrived) { queue_.wait(deadline_ns, arrived); }
void LinuxWorld::notify() { queue_.notify(); }

void LinuxWorld::perform(const door::Output& output) {
  if (const auto* packet = std::get_if<door::PacketOutput>(&output)) {
    POLLUX_CHECK(packet->nic < nics_.size(), "a machine sends only on cards that it has");
    nics_[packet->nic]->send(packet->frame);
  } else if (const auto* request = std::get_if<door::DiskOutput>(&output)) {
    disks_->submit(*request);
  } else if (const auto* console = std::get_if<door::ConsoleOutput>(&output)) {
    console_->write(console->bytes);
  } else if (const auto* line = std::get_if<door::OperatorOutput>(&output)) {
    tell(line->line);
  }
  // PowerOutput is the session's: the world has no switch for it.
}

void LinuxWorld::tell(const std::string& line) {
  if (options_.operator_line) return options_.operator_line(line);
  std::fprintf(stderr, "pollux: %s\n", line.c_str());
}

std::vector<std::pair<std::string, u64>> LinuxWorld::counters() const {
  std::vector<std::pair<std::string, u64>> all;
  const DiskCounters disk = disks_->counters();
  if (!options_.disks.empty()) all.emplace_back(std::string("disk.engine.") + disks_->engine_name(), 1);
  all.insert(all.end(), {{"disk.reads", disk.reads},
                         {"disk.writes", disk.writes},
                         {"disk.flushes", disk.flushes},
                         {"disk.discards", disk.discards},
                         {"disk.bytes_read", disk.bytes_read},
                         {"disk.bytes_written", disk.bytes_written},
                         {"disk.errors", disk.errors},
                         {"disk.refused", disk.refused},
                         {"net.packets_dropped", queue_.packets_dropped()},
                         {"console.bytes_lost", console_->bytes_lost() + queue_.console_bytes_dropped()}});
  if (!nics_.empty()) {
    const WaitTimes waits = queue_.packet_waits();
    all.insert(all.end(), {{"net.wait_p50_ns", waits.percentile_ns(50)},
                           {"net.wait_p99_ns", waits.percentile_ns(99)},
                           {"net.wait_max_ns", waits.longest_ns()}});
  }
  for (std::size_t i = 0; i < nics_.size(); ++i) {
    const NicCounters nic = nics_[i]->counters();
    const std::string prefix = "net." + std::to_string(i) + ".";
    all.insert(all.end(), {{prefix + "sent", nic.sent}, {prefix + "received", nic.received}, {prefix + "dropped", nic.dropped}});
  }
  return all;
}

}  // namespace pollux::host
