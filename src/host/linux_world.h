// The world on Linux: the host's clocks, its terminal, disks in files, network cards on a switch or TAP device.
//
//   auto world = LinuxWorld::create(options);       // opens and connects everything, or says what is missing
//   session(machine, **world, journal).run();
//
// One thread of its own (the reactor) waits for the console, packets, disk completions and signals, and queues them;
// wait() takes from the queue. perform() acts at once on the caller's thread: a packet is in the socket and a disk
// request in the kernel when it returns.
//
// A backup's world is made with Start::kQuiet: disks are opened and the switch is connected, so that what is missing
// shows early, but no disk is acquired and no packet or typing arrives until go_live(). Stop signals always arrive.
//
// What arrives without being asked: ConsoleInput, PacketInput, LinkInput, PowerButtonInput, StopInput. StopInput
// comes from SIGINT, SIGTERM, SIGHUP and Ctrl-A x; PowerButtonInput from SIGPWR and Ctrl-A p.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "host/console.h"
#include "host/disk_service.h"
#include "host/input_queue.h"
#include "host/nic.h"
#include "host/reactor.h"
#include "host/stop_signals.h"
#include "world/world.h"

namespace pollux::host {

struct NicOptions {
  enum class Kind { kSwitch, kTap };
  Kind kind = Kind::kSwitch;
  std::string target;  // the switch's socket, or the TAP device's name
};

enum class Start { kLive, kQuiet };
// What to do about a disk that its previous owner does not let go: fail, or take it over (storage/disk.h).
enum class Claim { kRequired, kTakeOver };

struct LinuxWorldOptions {
  std::string console;                           // as make_console()
  std::vector<std::shared_ptr<DiskFile>> disks;  // disk number = index
  std::vector<NicOptions> nics;                  // card number = index
  Start start = Start::kLive;
  WritePolicy write_policy = WritePolicy::kWriteBack;
  EngineChoice engine = EngineChoice::kBest;
  bool stop_signals = true;                               // handle SIGINT, SIGTERM, SIGHUP
  std::function<void(const std::string&)> operator_line;  // empty: "pollux: LINE" on standard error
};

class LinuxWorld final : public world::World {
 public:
  // kLive acquires the disks.
  static Result<std::unique_ptr<LinuxWorld>> create(LinuxWorldOptions options);
  ~LinuxWorld() override;  // waits for disk requests in flight and restores the terminal

  u64 now_ns() override;
  u64 unix_ns() override;
  void fill_random(std::span<std::byte> bytes) override;
  void perform(const door::Output& output) override;
  void wait(u64 deadline_ns, std::vector<door::Input>& arrived) override;
  void notify() override;
  const std::atomic<bool>* arrival() const override { return queue_.arrival(); }

  // Acquires the disks, waiting up to wait_ms in total, and lets packets and typing in; every card's link state
  // arrives as an input, for the machine may have known another. Does nothing when live. On failure nothing is
  // acquired that was not before, and it may be called again.
  Result<void> go_live(u64 wait_ms, Claim claim = Claim::kRequired);

  // "disk.engine.io_uring", "disk.reads", "net.0.sent", ...: for the report. Thread-safe.
  std::vector<std::pair<std::string, u64>> counters() const;

 private:
  explicit LinuxWorld(LinuxWorldOptions options);
  Result<void> open();
  Result<void> open_nic(u32 index);
  void tell(const std::string& line);

  LinuxWorldOptions options_;
  InputQueue queue_;
  Reactor reactor_;
  std::unique_ptr<StopSignals> signals_;
  std::unique_ptr<Console> console_;
  std::vector<std::unique_ptr<Nic>> nics_;
  std::unique_ptr<DiskService> disks_;
  std::atomic<bool> live_ = false;
};

}  // namespace pollux::host
