// The interpreter: the reference engine behind cpu::Cpu. This header is what the handlers of cpu/interpret see;
// others make one by make_interpreter.h and know it as a Cpu.
//
// How it runs: blocks of decoded instructions are cached by guest-physical address (block_cache.h). The loop stores
// the current instruction, calls its handler, goes on to the next until end_. Whatever must stop the processor after
// the current instruction (a device asks, the block rewrites itself) sets end_. Position and rip are derived from
// block and index; state().rip is right only at block ends, so handlers use next_rip(), instruction_rip().
//
// Faults: raise() goes back to the innermost attempt(), which run() makes and then delivers the fault to the guest. It
// leaves frames by longjmp, as faults are frequent: nothing between the two may have a destructor that does something.
//
// Flags: the arithmetic flags live in arithmetic_ while running, in the layout that LAHF and SETO give
// (bits 15-8: SF ZF 0 AF 0 PF 1 CF, bits 7-0: OF as 0 or 1); state().rflags has the others.
//
// The host's MXCSR holds, inside run(), the guest's MXCSR with all exceptions masked, and collects sticky bits.
#pragma once

#include <csetjmp>
#include <cstring>
#include <optional>
#include <type_traits>

#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "cpu/interpret/block_cache.h"
#include "cpu/interpret/host_flags.h"
#include "cpu/interpret/instruction.h"
#include "cpu/interpret/instruction_reader.h"
#include "cpu/mmu/mmu.h"
#include "x86/control.h"
#include "x86/faults.h"
#include "x86/flags.h"

namespace pollux::cpu::interpret {

// How far advance() goes: to the position, or at most over one block, one instruction (with its repetitions), or one
// event.
enum class Advance : u8 { kAll, kOneBlock, kOneInstruction };

class Interpreter final : public Cpu, public mmu::CodeObserver {
 public:
  static constexpr u64 kDecodedBytes = u64{96} << 20;
  // decoded_bytes: about the most that decoded code may take.
  Interpreter(memory::GuestMemory& memory, Bus& bus, u64 decoded_bytes = kDecodedBytes);
  ~Interpreter() override;

  // Cpu
  StopReason run(door::Position until, EarlyStop early = {}) override;
  door::Position position() const override { return door::Position(position_ + u64(current_ - first_)); }
  void set_position(door::Position position) override {
    position_ = position.value;
    deliveries_ = 0;
  }
  x86::State& state() override { return r_.state; }
  void state_changed() override;
  void set_interrupt_line(bool raised) override;
  void raise_nmi() override;
  void request_stop() override;
  void visit(Visitor& v) override;

  // mmu::CodeObserver
  bool code_write(memory::PhysAddr from, u64 length) override;
  void fetch_changed() override;

  // ---- for an engine that runs most code itself on this state ----
  // Between enter() and leave() the host's MXCSR and arithmetic_cell() hold the guest's.
  void enter();
  void leave();
  StopReason advance(u64 until, Advance how);
  // An instruction as it is executed in the current mode.
  Instruction lend(const decode::Decoded& decoded, const Binding& row) const;
  // Executes a lent instruction, which is at rip, with its repetitions. Not when wants_turn().
  StopReason execute(const Instruction& lent, u64 until);
  // Makes the arithmetic flags of an instruction again that has been executed. Of registers: CMP, TEST; and of at least
  // 32 bits ADD, SUB (of two registers), AND, OR, XOR; SHL, SHR, SAR, whose operand was shifted.
  void flags_again(const decode::Decoded& decoded, const Binding& row, u64 shifted);
  // Something besides the next instruction is to be looked at: a stop, an interrupt that may be taken, a trap.
  bool wants_turn() const {
    return (attention_ & ~u32{kLine}) || ((attention_ & kLine) && (r_.state.rflags & x86::kIf));
  }
  // A fault or an interrupt has been delivered, and nothing has retired since. Whoever goes to this position from before
  // stops ahead of the delivery, so nobody may stop here.
  bool has_delivered() const { return deliveries_ > 0; }
  void retired(u64 instructions) {
    position_ += instructions;
    if (instructions) deliveries_ = 0;
    last_block_ = nullptr;
  }
  // Somebody else may have changed the privilege level in SS, or a supervisor's RFLAGS.AC.
  void look_at_view() {
    const bool ac = r_.state.rflags & x86::kAc;
    if (x86::privilege_of(r_.state.segment[x86::kSs]) != cpl_)
      mode_changed();
    else if (view_ != mmu::View::kUser && ac != (view_ == mmu::View::kSupervisorAc))
      view_changed();
  }
  // Told of code that is about to be written like the interpreter itself.
  void set_second_observer(mmu::CodeObserver* observer) { second_observer_ = observer; }
  u16& arithmetic_cell() { return arithmetic_; }
  // In 64-bit code whose turn it is: not 0 while the interrupt line is raised.
  const u32& attention_cell() const { return attention_; }
  u32 mode_bits() const { return mode_bits_; }
  u32 flat_bits() const { return flat_bits_; }
  mmu::View view() const { return view_; }
  InstructionReader& reader() { return reader_; }
  bool checks_alignment() const { return alignment_check_; }

  // ---- for handlers ----
  x86::State& s() { return r_.state; }
  Bus& bus() { return bus_; }
  const Bus& bus() const { return bus_; }
  memory::GuestMemory& memory() { return memory_; }
  mmu::Mmu& mmu() { return mmu_; }
  const mmu::Mmu& mmu() const { return mmu_; }

  // General registers by byte offset (Instruction::r). A 32-bit write clears the upper half.
  template <class T>
  T reg(u8 offset) const {
    T value;
    std::memcpy(&value, reinterpret_cast<const char*>(&r_.state.gpr) + offset, sizeof value);
    return value;
  }
  template <class T>
  void set_reg(u8 offset, T value) {
    if constexpr (sizeof(T) == 4) {
      const u64 wide = std::make_unsigned_t<T>(value);
      std::memcpy(reinterpret_cast<char*>(&r_.state.gpr) + offset, &wide, 8);
    } else {
      std::memcpy(reinterpret_cast<char*>(&r_.state.gpr) + offset, &value, sizeof value);
    }
  }
  u64& gpr(x86::Gpr name) { return r_.state.gpr[name]; }

  // The memory operand: its linear address for an access of size bytes (segment checks included where they apply).
  u64 address(const Instruction& i, unsigned size, mmu::Access access) {
    if (i.bits & kSegmented) [[unlikely]]
      return segmented_address(i, size, access);
    return effective_address(i) + cell(i.segment_base);
  }
  // Base + index * scale + displacement, not truncated: LEA.
  u64 effective_address(const Instruction& i) const {
    return cell(i.base) + (cell(i.index) << i.scale) + u64(i.displacement);
  }

  // Loads and stores through the memory operand. T: any trivially copyable type of 1 to 64 bytes (x86::Xmm too).
  // The aligned forms raise #GP(0) when the address is no multiple of sizeof(T).
  template <class T>
  T load(const Instruction& i) {
    return read_linear<T>(address(i, sizeof(T), mmu::Access::kRead), i.segment);
  }
  template <class T>
  void store(const Instruction& i, const T& value) {
    write_linear<T>(address(i, sizeof(T), mmu::Access::kWrite), value, i.segment);
  }
  template <class T>
  T load_aligned(const Instruction& i) {
    const u64 linear = address(i, sizeof(T), mmu::Access::kRead);
    if (linear & (sizeof(T) - 1)) [[unlikely]]
      raise(x86::Exception::kProtection, 0);
    return read_linear<T>(linear, i.segment);
  }
  template <class T>
  void store_aligned(const Instruction& i, const T& value) {
    const u64 linear = address(i, sizeof(T), mmu::Access::kWrite);
    if (linear & (sizeof(T) - 1)) [[unlikely]]
      raise(x86::Exception::kProtection, 0);
    write_linear<T>(linear, value, i.segment);
  }
  // Reads the memory operand, applies f, writes the result; f runs once, after every possible fault.
  template <class T, class F>
  void modify(const Instruction& i, F&& f) {
    modify_linear<T>(address(i, sizeof(T), mmu::Access::kWrite), i.segment, f);
  }

  // The same by linear address. segment decides between #SS and #GP for a non-canonical address.
  template <class T>
  T read_linear(u64 linear, u8 segment) {
    if (const std::byte* host = tlb_->find(linear, sizeof(T), false)) [[likely]] {
      T value;
      std::memcpy(&value, host, sizeof value);
      return value;
    }
    T value;
    read_slow(linear, &value, sizeof value, segment);
    return value;
  }
  template <class T>
  void write_linear(u64 linear, const T& value, u8 segment) {
    if (std::byte* host = tlb_->find(linear, sizeof(T), true)) [[likely]] {
      std::memcpy(host, &value, sizeof value);
      return;
    }
    const T copy = value;
    write_slow(linear, &copy, sizeof copy, segment);
  }
  template <class T, class F>
  void modify_linear(u64 linear, u8 segment, F&& f) {
    if (std::byte* host = tlb_->find(linear, sizeof(T), true)) [[likely]] {
      T value;
      std::memcpy(&value, host, sizeof value);
      value = f(value);
      std::memcpy(host, &value, sizeof value);
      return;
    }
    check_write(linear, sizeof(T), segment);
    T value;
    read_slow(linear, &value, sizeof value, segment);
    value = f(value);
    write_slow(linear, &value, sizeof value, segment);
  }
  // Raises the fault that a write of [linear, linear + size) would raise, if any; up to a page long. Long stores
  // (FXSAVE ...) call it first and then write in pieces.
  void check_write(u64 linear, unsigned size, u8 segment);
  // Any length up to a page; whole or nothing.
  void read_bytes(u64 linear, void* to, unsigned size, u8 segment) { read_slow(linear, to, size, segment); }
  void write_bytes(u64 linear, const void* from, unsigned size, u8 segment) { write_slow(linear, from, size, segment); }

  // Flags.
  u64 flags() const;                 // all of RFLAGS
  void set_flags(u64 rflags);        // all of RFLAGS, unchecked
  void set_arithmetic(u64 rflags) {  // CF PF AF ZF SF OF from RFLAGS layout
    arithmetic_ = u16((rflags & 0xd5) << 8 | kHostFixed | (rflags >> 11 & 1));
  }
  u16 arithmetic() const { return arithmetic_; }
  void set_arithmetic_raw(u16 lahf_seto) { arithmetic_ = lahf_seto; }
  bool carry() const { return arithmetic_ & 0x100; }

  [[noreturn]] void raise(x86::Exception vector, u32 error = 0);
  [[noreturn]] void raise(const x86::Fault& fault);
  // Calls f; the fault that it raised, if any. f changes the caller's variables by reference only.
  template <class F>
  [[gnu::noinline]] std::optional<x86::Fault> attempt(F&& f) {
    std::jmp_buf* const outer = attempt_;
    std::jmp_buf here;
    attempt_ = &here;
    if (_setjmp(here) == 0) {
      f();
      attempt_ = outer;
      return std::nullopt;
    }
    attempt_ = outer;
    return fault_;
  }

  // Control flow.
  u64 instruction_rip() const { return r_.block_rip + current_->offset; }
  u64 next_rip() const { return r_.block_rip + current_->offset + current_->length; }
  void jump(u64 rip) { r_.state.rip = rip; }  // target already truncated and checked

  // Privilege and mode.
  unsigned cpl() const { return cpl_; }
  bool long_mode() const { return r_.state.efer & x86::kEferLma; }  // compatibility included
  decode::CodeSize code_size() const { return code_size_; }
  bool code64() const { return code_size_ == decode::CodeSize::k64; }
  bool protected_mode() const { return r_.state.cr0 & x86::kCr0Pe; }
  bool v8086() const { return r_.state.rflags & x86::kVm; }

  // The guest's MXCSR: controls and the sticky bits collected so far.
  u32 mxcsr() const;
  // Checked by the caller (reserved bits: #GP). The row of such an instruction has kEndsBlock.
  void set_mxcsr(u32 value);

  // ---- for the system families ----
  u64 block_rip() const { return r_.block_rip; }

  // Segment and offset to linear address, with all checks; offset is already truncated to the address size.
  u64 linear_of(u8 segment, u64 offset, unsigned size, mmu::Access access);
  static u64 truncated(u64 offset, unsigned size) { return size == 8 ? offset : size == 4 ? u32(offset) : u16(offset); }
  template <class T>
  T read_at(u8 segment, u64 offset, unsigned address_size) {
    return read_linear<T>(linear_of(segment, truncated(offset, address_size), sizeof(T), mmu::Access::kRead), segment);
  }
  template <class T>
  void write_at(u8 segment, u64 offset, unsigned address_size, T value) {
    write_linear<T>(linear_of(segment, truncated(offset, address_size), sizeof(T), mmu::Access::kWrite), value,
                    segment);
  }

  // A near branch's target: truncated to the operand size; #GP(0) when not canonical or beyond the limit of CS.
  u64 near_target(u64 target, unsigned operand_size);

  // The stack, by the current stack size. size: 2, 4 or 8 bytes. peek_stack reads at rsp + offset.
  void push(u64 value, unsigned size);
  u64 peek_stack(u64 offset, unsigned size);
  void move_stack(i64 delta);
  u64 pop(unsigned size) {
    const u64 value = peek_stack(0, size);
    move_stack(size);
    return value;
  }
  u64 stack_mask() const { return stack_mask_; }

  // Accesses with the rights of a given view; segment only decides between #SS and #GP.
  void read_as(mmu::View view, u64 linear, void* to, unsigned size, u8 segment);
  void write_as(mmu::View view, u64 linear, const void* from, unsigned size, u8 segment);
  // Descriptor tables and task-state segments: supervisor accesses whatever the privilege level.
  template <class T>
  T system_read(u64 linear) {
    T value;
    read_as(mmu::View::kSupervisor, linear, &value, sizeof value, x86::kDs);
    return value;
  }
  template <class T>
  void system_write(u64 linear, T value) {
    write_as(mmu::View::kSupervisor, linear, &value, sizeof value, x86::kDs);
  }
  // Where linear is in host memory, if the TLB of the current view knows.
  std::byte* probe(u64 linear, mmu::Access access) const { return mmu_.probe(linear, access, view_); }
  // Mmu::claim_stretch() of the current view. nullptr also where the instruction itself is fetched through what is
  // written: it is fetched again for each iteration then.
  std::byte* claim_stretch(u64 linear, u64 bytes) {
    std::byte* const host = mmu_.claim_stretch(linear, bytes, view_);
    return code_changed_ ? nullptr : host;
  }
  static mmu::View view_of(unsigned cpl) { return cpl == 3 ? mmu::View::kUser : mmu::View::kSupervisor; }

  // To be called after a change of CS, SS, CR0, CR3, CR4, EFER, RFLAGS.AC or VM, MXCSR masks. Such an instruction's
  // row has kEndsBlock.
  void mode_changed();
  void control_changed();  // CR0, CR3, CR4, EFER: tells the MMU, then mode_changed()

  void view_changed();  // RFLAGS.AC alone

  // Ends the block after this instruction, so that the loop looks at attention again.
  void end_block() { end_ = current_ + 1; }
  void set_shadow();  // STI, MOV SS, POP SS: the next boundary takes no interrupt
  void halt();
  // No single-step trap after this instruction although TF was set before it.
  void skip_single_step() { skip_single_step_ = true; }

  // REP: how many iterations may retire in this execution; counting all but the last; staying at this instruction.
  // After each iteration in which wants_attention(), the rest must wait.
  u64 repeat_budget() const { return budget_ - u64(current_ - first_); }
  void retire_iterations(u64 count) {
    position_ += count;
    budget_ -= count;
    deliveries_ = 0;
  }
  void repeat_later() { r_.state.rip = instruction_rip(); }
  bool wants_attention() const { return (attention_ & (kStop | kLine | kNmi)) || code_changed_; }

 private:
  enum Attention : u32 {
    kStop = 1,  // request_stop()
    kLine = 2,  // the interrupt line is raised
    kNmi = 4,
    kSingleStep = 8,  // RFLAGS.TF
    kShadow = 16,     // state.interrupt_shadow
    kHalted = 32,
  };

  // run.cc
  StopReason loop(Advance how);
  StopReason take(const x86::Fault& fault);
  bool deliver_pending();  // NMI, interrupt; true when one was taken
  void execute(Block* block, u64 most, unsigned instructions);
  void take_fault(const x86::Fault& fault);
  void refresh_attention();
  // block_builder.cc
  Block* find_block();
  Block* build(u64 linear, u64 physical, std::byte* host);
  void update_context();

  template <class T = u64>
  T cell(i16 offset) const {
    T value;
    std::memcpy(&value, reinterpret_cast<const char*>(&r_.state.gpr) + offset, sizeof value);
    return value;
  }
  u64 segmented_address(const Instruction& i, unsigned size, mmu::Access access);
  void read_slow(u64 linear, void* to, unsigned size, u8 segment);
  void write_slow(u64 linear, const void* from, unsigned size, u8 segment);
  mmu::Translation translate(mmu::View view, u64 linear, mmu::Access access);
  void check_linear(u64 linear, unsigned size, u8 segment);
  u64 next_page(u64 linear) const;

  // The zero and block-rip cells stand in front of the state, so that every part of an address is one load at an
  // offset from gpr[0].
  struct alignas(16) Registers {
    u64 block_rip = 0;
    u64 zero = 0;
    x86::State state;
  };
  Registers r_;

  // Hot.
  const mmu::Tlb* tlb_ = nullptr;
  const Instruction* current_ = nullptr;
  const Instruction* first_ = nullptr;
  const Instruction* end_ = nullptr;
  u64 position_ = 0;
  u64 until_ = 0;
  u32 attention_ = 0;
  u16 arithmetic_ = kHostFixed;
  u8 cpl_ = 0;
  decode::CodeSize code_size_ = decode::CodeSize::k16;
  // Jump cache: everything besides rip that a lookup depends on, for each half of the linear addresses.
  std::array<u64, 2> context_{};

  memory::GuestMemory& memory_;
  Bus& bus_;
  mmu::Mmu mmu_;
  BlockCache blocks_;
  InstructionReader reader_;
  mmu::CodeObserver* second_observer_ = nullptr;
  u32 mode_bits_ = 0;  // key of blocks: code size, units, unmasked SIMD exceptions
  u32 flat_bits_ = 0;  // mode.h
  u64 stack_mask_ = 0xffff;
  mmu::View view_ = mmu::View::kSupervisor;
  bool alignment_check_ = false;
  bool skip_single_step_ = false;
  bool shutdown_ = false;
  bool code_changed_ = false;  // during this block: it, or what its address means
  bool linkable_ = false;      // the block that ran last may be followed by a link
  Block* last_block_ = nullptr;
  u64 last_rip_ = 0;                                  // where it began
  unsigned most_in_block_ = Block::kMaxInstructions;  // of blocks that are built now
  u64 budget_ = 0;                                    // instructions that may retire in this execution of the block
  u64 deliveries_ = 0;                                // since an instruction last retired
  u64 code_writes_ = 0;                               // writes to pages with code
  u64 context_round_ = 0;
  std::jmp_buf* attempt_ = nullptr;
  x86::Fault fault_{};  // that was raised last
  u32 host_mxcsr_ = 0;
  bool interrupt_line_ = false;
  bool running_ = false;
};

}  // namespace pollux::cpu::interpret
