// The local APIC of one processor: pending and serviced interrupts, priorities, the local vector table, inter-processor
// interrupts and the timer. Registers are reached by device memory (xAPIC) or by model-specific registers (x2APIC).
//
// The board routes accesses, passes interrupt messages to accept() when addressed_by() says so, presents vectors to
// the processor while presents() and acknowledges them by take(). LapicPort is what it needs of the board.
//
// Invariants
//  1. presents() is a function of the visited state: IRR, ISR and the task priority.
//  2. The timer counts virtual nanoseconds divided by its divider; the count is computed, never stepped.
// Not here: clusters of more than 255 processors, thermal and performance-counter sources (their LVT entries can be
// written and never fire), directed EOI.
// Source: Intel SDM vol. 3, chapter 11 (10 in older editions).
#pragma once

#include <array>
#include <optional>

#include "device/device.h"

namespace pollux::device {

enum class Delivery : u8 { kFixed = 0, kLowest = 1, kSmi = 2, kNmi = 4, kInit = 5, kStartup = 6, kExtInt = 7 };
enum class Trigger : u8 { kEdge, kLevel };
enum class Shorthand : u8 { kNone, kSelf, kAll, kOthers };

// An interrupt on its way to local APICs.
struct InterruptMessage {
  u32 destination = 0;
  bool logical = false;
  bool x2apic = false;  // destination is 32 bits wide; else 8, 0xff for everybody
  Delivery delivery = Delivery::kFixed;
  Trigger trigger = Trigger::kEdge;
  u8 vector = 0;
  Shorthand shorthand = Shorthand::kNone;
};

class LapicPort {
 public:
  virtual ~LapicPort() = default;
  virtual void presents_changed() = 0;            // presents() or takes_external() may have changed
  virtual void end_of_interrupt(u8 vector) = 0;   // of a level-triggered one: to the IO-APIC
  virtual void send(const InterruptMessage& message) = 0;
  virtual void signal(Delivery kind, u8 vector) = 0;  // kNmi, kInit, kStartup, for the processor itself
};

class Lapic final : public Registers, public Timed {
 public:
  static constexpr u32 kMsrApicBase = 0x1b, kMsrTscDeadline = 0x6e0, kMsrX2First = 0x800, kMsrX2Last = 0x8ff;

  Lapic(Host& host, LapicPort& port, u8 id);

  // As firmware leaves it: enabled, LINT0 for the PIC (virtual wire), LINT1 for NMI.
  void set_virtual_wire();
  // INIT: as reset, but IA32_APIC_BASE and the identifier stay.
  void init();

  // Model-specific registers of the list above. nullopt / false: #GP.
  std::optional<u64> msr_read(u32 index);
  bool msr_write(u32 index, u64 value);
  u64 task_priority() const { return tpr_ >> 4; }  // CR8
  void set_task_priority(u64 cr8);

  // Device memory at base(), while decodes_memory().
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, unsigned size, u64 value) override;
  u64 base() const { return apic_base_ & ~u64{0xfff}; }
  bool decodes_memory() const { return enabled() && !x2apic(); }

  bool enabled() const { return apic_base_ & kBaseEnable; }
  bool x2apic() const { return apic_base_ & kBaseX2apic; }
  bool software_enabled() const { return spurious_ & kSoftwareEnable; }
  u32 id() const { return id_; }

  bool addressed_by(const InterruptMessage& message) const;
  void accept(Delivery delivery, u8 vector, Trigger trigger);
  u8 processor_priority() const;

  bool presents() const;
  u8 take();                    // the vector; call while presents()
  bool takes_external() const;  // the PIC's output goes to the processor
  void set_lint0(bool raised);  // the PIC's output

  door::VirtualNs deadline() const override { return timer_deadline_; }
  void advance() override;

  void visit(Visitor& v);

 private:
  using Bits = std::array<u32, 8>;
  enum Lvt : unsigned { kTimer, kThermal, kPerformance, kLint0, kLint1, kError, kLvtCount };
  static constexpr u64 kBaseBsp = 1 << 8, kBaseX2apic = 1 << 10, kBaseEnable = 1 << 11;
  static constexpr u32 kLvtMasked = 1 << 16, kSoftwareEnable = 1 << 8;

  std::optional<u32> read_register(u32 index);
  bool write_register(u32 index, u32 value);
  void write_lvt(Lvt which, u32 value);
  void write_icr(u64 value);
  void end_of_interrupt();
  void reset_registers();
  void raise_lvt(Lvt which);
  void report_error(u32 bit);

  u32 timer_mode() const { return lvt_[kTimer] >> 17 & 3; }
  u64 timer_divider() const;
  u32 timer_count() const;
  void start_timer(u32 count);
  void set_deadline(door::VirtualNs deadline);

  Host& host_;
  LapicPort& port_;
  u32 id_;
  u64 apic_base_;
  u32 id_register_ = 0;
  u32 tpr_ = 0;
  u32 logical_destination_ = 0;
  u32 destination_format_ = 0;
  u32 spurious_ = 0;
  u32 error_ = 0, error_latched_ = 0;
  u64 icr_ = 0;
  std::array<u32, kLvtCount> lvt_{};
  Bits requested_{}, in_service_{}, level_{};  // IRR, ISR, TMR
  u32 timer_initial_ = 0;
  u32 timer_divide_ = 0;
  u64 tsc_deadline_ = 0;
  door::VirtualNs timer_deadline_ = door::kNever;
  bool lint0_ = false;
};

}  // namespace pollux::device
