// What a processor asked its bus, and all that came of it: the answer, what the board did to the processor during the call,
// and what devices wrote to memory. One processor's accesses are recorded once and then played to another, so devices
// see each of them once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cpu/bus.h"
#include "cpu/check/journal.h"
#include "cpu/cpu.h"

namespace pollux::cpu::check {

enum class Call : u8 {
  kMmioRead,
  kMmioWrite,
  kPortRead,
  kPortWrite,
  kAcknowledge,
  kCounter,
  kMsrRead,
  kMsrWrite,
  kPriority,
  kSetPriority,
  kPause,
};

struct Asked {
  Call call = Call::kPause;
  u64 position = 0;
  u64 at = 0;  // address, port, register
  unsigned size = 0;
  u64 value = 0;
  bool operator==(const Asked&) const = default;
};
std::string to_text(const Asked& asked);

struct Access {
  Asked asked;
  u64 answer = 0;
  bool done = true;  // model-specific registers: no fault
  std::optional<bool> line;
  bool nmi = false, stop = false;
  std::vector<DeviceWrite> writes;
};

// The bus of one engine. It answers from the real one, on a tape; or from a tape. Behind every access that may have had an
// effect the engine is asked to stop, so no device has read what the engine wrote later than its memory is compared.
class TapedBus final : public Bus {
 public:
  TapedBus(Bus& real, memory::GuestMemory& memory, PageJournal& journal)
      : real_(real), memory_(memory), journal_(journal) {}
  void connect(Cpu& engine) { engine_ = &engine; }

  // From now on accesses go to the real bus and to the end of the tape.
  void record(std::vector<Access>& tape);
  // From now on accesses are answered by the tape, from this access on.
  void play(std::vector<Access>& tape, std::size_t from);

  // The access that the real bus is answering now.
  Access* answering() { return answering_; }
  // How many accesses of the tape were made by this engine or before it began.
  std::size_t played() const { return recording_ ? tape_->size() : next_; }
  // What was asked that is not on the tape. Empty: nothing.
  const std::string& stray() const { return stray_; }

  u64 mmio_read(memory::PhysAddr at, unsigned size) override;
  void mmio_write(memory::PhysAddr at, unsigned size, u64 value) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;
  u8 acknowledge_interrupt() override;
  u64 time_stamp_counter() override;
  std::optional<u64> apic_msr_read(u32 index) override;
  bool apic_msr_write(u32 index, u64 value) override;
  u64 task_priority() override;
  void set_task_priority(u64 cr8) override;
  x86::Topology topology() const override { return real_.topology(); }
  void pause() override;

 private:
  // real(access) asks the real bus and puts its answer into the access.
  template <class F>
  Access access(Call call, u64 at, unsigned size, u64 value, F real);
  Access play_next(const Asked& asked);

  Bus& real_;
  memory::GuestMemory& memory_;
  PageJournal& journal_;
  Cpu* engine_ = nullptr;
  std::vector<Access>* tape_ = nullptr;
  bool recording_ = false;
  std::size_t next_ = 0;
  Access* answering_ = nullptr;
  std::string stray_;
};

}  // namespace pollux::cpu::check
