// The computer: memory, processors and the board around them, as a machine.
//
// Made by create() from a configuration: the kernel is loaded and the first processor stands before its first
// instruction; the others wait to be started.
// Then it is driven through the Machine face. Inputs go to the device they are meant for; one for a device that does
// not exist is dropped, for it does so equally in every copy.
//
// At position 0 the first entropy input also fills the kernel's random seed (boot::Booted::rng_seed); those bytes do
// not reach the entropy device.
#pragma once

#include <memory>
#include <vector>

#include "machine/board/board.h"
#include "machine/boot/boot.h"
#include "machine/computer/config.h"
#include "machine/computer/engine.h"
#include "machine/machine.h"

namespace pollux::machine::computer {

class Computer final : public Machine {
 public:
  // region: config.memory_bytes of zeroes. Fails with a sentence when the configuration cannot be a computer or the
  // kernel cannot be loaded.
  static Result<std::unique_ptr<Computer>> create(Config config, memory::Region region, const EngineMaker& engine);

  RunStop run(door::Position until, EarlyStop early = {}) override { return board_.run(until, early); }
  void deliver(DeliverKey key, const door::Input& input) override;
  std::vector<door::OutputAt> take_outputs() override { return board_.take_outputs(); }
  door::Position position() const override { return board_.position(); }
  door::VirtualNs now() const override { return board_.now(); }
  door::VirtualNs idle_until() const override { return board_.idle_until(); }
  void skip_idle() override { board_.skip_idle(); }
  u64 entropy_wanted() const override { return board_.entropy().wanted(); }
  u64 digest() override;
  bool prepare_digest(EarlyStop early) override { return memory_.rehash(early); }
  std::vector<std::pair<std::string, u64>> component_digests() override;
  void visit(Visitor& v) override;
  std::vector<std::pair<std::string, u64>> counters() const override;

  boot::KernelKind kernel_kind() const { return kernel_kind_; }
  // Disk requests that were issued and not completed, in guest order: what a promoted backup reissues (R6).
  std::vector<door::DiskOutput> outstanding_disk_requests();

  // For debugging aids and tests.
  cpu::Cpu& cpu(u32 number = 0) { return *cpus_[number]; }
  memory::GuestMemory& memory() { return memory_; }

 private:
  Computer(Config config, memory::Region region);
  Result<void> add_processors(const EngineMaker& engine);
  Result<void> load_kernel();
  void take_entropy(ByteSpan bytes);
  void visit_devices(Visitor& v);

  Config config_;  // without kernel and initrd, once they are loaded
  memory::GuestMemory memory_;
  board::Board board_;
  std::vector<std::unique_ptr<cpu::Cpu>> cpus_;
  boot::KernelKind kernel_kind_ = boot::KernelKind::kLinux;
  std::optional<memory::PhysAddr> rng_seed_;
  bool seeded_ = false;
};

}  // namespace pollux::machine::computer
