// The second half of translation: writes a trace as host code.
//
// Rules of the code it writes
//  1. An instruction changes nothing before its last possible exit; at every exit the state is that of an instruction
//     boundary, with the flags in memory, or with an instruction that makes them again.
//  2. The arithmetic flags are in the host's flags, in memory, both, or to be made again; the writer knows where at
//     each point (flags_). Code that destroys the host's flags saves them first, if anything but exits still needs
//     them, or what they follow from changes.
//  3. A trace counts all its instructions once, at its beginning or before the first instruction that overwrites the
//     flags; an early exit gives back what was not executed.
//  4. kAddressReg and kScratch hold nothing from one instruction to the next but what holder() says.
// One file for each family: writer_flags, writer_memory, writer_same (instructions that stay the same),
// writer_shift, writer_state, writer_special, writer_stack, writer_branch, writer_call, writer_far.
#pragma once

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "cpu/translate/assembler.h"
#include "cpu/translate/exit.h"
#include "cpu/translate/frame.h"
#include "cpu/translate/sequences.h"
#include "cpu/translate/thunks.h"
#include "cpu/translate/trace_reader.h"
#include "cpu/translate/translation_cache.h"

namespace pollux::cpu::translate {

class Writer {
 public:
  Writer(const Layout& layout, const Thunks& thunks, const interpret::Interpreter& interpreter, TranslationCache& cache)
      : layout_(layout), thunks_(thunks), interpreter_(interpreter), cache_(cache) {}

  // Bytes that a trace needs at most, in each of the two.
  static constexpr u64 kRoom = 16 << 10;

  // Instructions that a trace executes before it counts them, at most.
  static constexpr unsigned kMostUncounted = 16;

  // Writes what usually runs to the cache's hot code, what seldom does to the cold. compact: calls thunks for what
  // takes many bytes; of a trace of at most CallerWord::kMostBack steps. heat: where the trace counts how often it is
  // entered. Fills the entries of out.
  void write(const Trace& trace, bool compact, std::optional<u16> heat, Translation& out);

 private:
  // kRemade: nowhere, but an exit can make them again from registers (flags_.step).
  // kPending: as at the entry, in memory or likewise (Frame::pending); only exits need them.
  enum class Where : u8 { kHost, kMemory, kBoth, kNowhere, kRemade, kPending };

  struct EarlyExit {  // at a step
    u8* from;         // the jump to it
    ExitKind kind;
    unsigned step;
    u8 give_back;  // as in Exit, like the following
    i32 flags_from;
    u16 detail;
    u16 used;        // registers that the flags follow from, as bits
    int remade;      // the step that makes the flags again; -1: none does
    const u8* back;  // where code goes on; nullptr: nowhere
    bool read_for_write = false;  // looks up as a write, and only reads: its group writes later
  };
  struct Flags {  // the guest's
    Where where = Where::kHost;
    // Where they are in the host's:
    Repair repair = Repair::kNone;
    int step = -1;      // that made them; -1: they cannot be made again
    bool zero = false;  // they are those of a result that is zero, and that tells all of them
  };
  struct Boundary {  // where an exit is; give_back: instructions counted and not executed
    i32 offset;
    unsigned give_back;
  };
  struct Edge {  // a side exit
    u8* from;
    unsigned step;
    i64 target;
    Flags flags;
  };

  // writer.cc
  void entry();
  unsigned pads_wanted() const;
  void begin_at(const u8* host_entry);
  void write_step(unsigned index);
  void write_stubs();
  void note_rest();   // behind the first instruction that overwrites the flags
  void go_to_rest();  // behind the record of the exit before it
  void exit(Exit e, const u8* to = nullptr) { exit(e, to, thunks_.out); }
  void exit(Exit e, const u8* to, const u8* thunk);
  void call_and_say(const u8* thunk, CallerWord word);
  template <class T>
  void say(T word) {
    static_assert(sizeof word == 4);
    a_->byte(0xa9), a_->write(word);  // test eax, word
  }
  CallerWord caller_word(bool group = false) const;  // of the step
  static CallerWord said_to_caller(Boundary at, i32 flags_from, bool group = false);
  Sequences pieces() { return {*a_, layout_, 0}; }
  const Step& step() const { return trace_->steps[index_]; }
  unsigned not_executed() const { return count() - index_ - given_back_; }  // of what is counted
  unsigned count() const { return unsigned(trace_->steps.size()); }
  // Of what the trace executes next.
  i32 next_offset() const { return index_ + 1 < count() ? trace_->steps[index_ + 1].offset : trace_->end; }
  static Address frame(u64 member) { return in_frame(member); }
  static Address guest(unsigned number) { return guest_in_frame(number); }  // in memory
  // What is as wide as the code's addresses and stack: 8 bytes, or 4 in 32-bit code, which clear the upper half.
  i32 word() const { return code32_ ? 4 : 8; }
  void load_word(Reg to, const Address& from) { a_->op({.code = 0x8b, .wide = !code32_}, to, from); }
  void store_word(const Address& to, Reg from) { a_->op({.code = 0x89, .wide = !code32_}, from, to); }
  void lea_word(Reg to, const Address& from) { a_->op({.code = 0x8d, .wide = !code32_}, to, from); }
  // The scratch register that holds an in-memory guest register since an earlier step; kInMemory: none does.
  Reg holder(unsigned number) const;
  bool is_in_use(Reg scratch) const;         // holds anything
  void holds(Reg scratch, unsigned number);  // from now on
  void drop_held(u16 numbers);               // bits
  static u16 lost_by(const Step& step);
  void hold_nothing();
  // kAddressReg becomes the host address of the access's group.
  void load_group(const Access& access);
  void keep_group(const Access& access);     // which kAddressReg is
  void load_guest(Reg to, unsigned number);  // whole
  void store_guest(unsigned number, Reg from);

  // writer_flags.cc
  void save_flags();  // makes memory have them, if anything has
  void restore_flags();
  void flags_before_clobber();  // keeps what the current step or a later one needs
  bool needed_after() const { return repeating_ || step().needed_after; }
  static std::optional<u16> remade_from(const Step& step);
  bool only_exits_need_entry_flags(u16& changed) const;
  bool overwrites_entry_flags() const;   // before anything can look, and soon
  bool can_remake(unsigned from) const;  // the flags of flags_.step, at every exit of steps from there on
  // For the exit's record.
  i32 flags_from() const;
  void early_exit(u8* from, ExitKind kind = ExitKind::kInterpret, u16 detail = 0, const u8* back = nullptr) {
    const u16 used = flags_.where == Where::kRemade ? pending_from(index_).value_or(0) : u16{0};
    const int remade = flags_.where == Where::kRemade ? flags_.step : -1;
    early_exits_.push_back({from, kind, index_, u8(not_executed()), flags_from(), detail, used, remade, back});
  }
  // To memory, in few bytes. False: only the interpreter makes those of this step again.
  bool make_again(int made_by);
  void clobbered();
  void give_flags(const FlagEffect& effect);
  void flags_written(const FlagEffect& effect);
  bool host_knows(Condition c) const;
  // Makes a condition of the guest's flags one of the host's.
  Condition host_condition(Condition c);

  // writer_memory.cc
  void effective_address(const decode::Decoded& d, Reg to, i32 extra, bool narrow);  // narrow: of 32 bits
  void linear_address(const decode::Decoded& d, i32 extra);                          // to kAddressReg
  void add_segment_base(const decode::Decoded& d);                                   // to kAddressReg
  void check_limit(const decode::Decoded& d);                                        // of kAddressReg in FS and GS
  // Of the linear address in kAddressReg. compact_: gives kHost.
  void look_up(const Access& access, unsigned size, bool write, Sequences::Gives gives = Sequences::Gives::kHost);
  // operand_ becomes the host's name of the step's memory operand; apart: kScratch may be a part of it, which saves an
  // addition on the way.
  void operand_address(bool apart = false);
  // While code accesses the operand, its linear address is a register of the host's and a displacement.
  bool is_plain(const decode::Decoded& d) const;
  bool leaves_scratch() const;
  Address stack_address(Reg base, i32 displacement, bool write);  // of the step's stack access
  void check_alignment(const Access& access);

  // writer_same.cc
  void write_same();
  static Opcode opcode_of(const decode::Decoded& d);
  void same_instruction(Opcode o, const decode::Decoded& d);
  bool write_with_cell(Opcode o, const decode::Decoded& d);

  // writer_shift.cc
  void write_shift();
  void keep_shifted();
  void shift_again();  // what was kept: for the flags
  void write_shift_by_cl();
  void write_double_shift();
  void save_double_shift_flags(const decode::Decoded& d);
  void clear_upper_half(const decode::Decoded& d);

  // writer_state.cc
  void write_read_state();
  void write_read_selector();
  void write_write_base();
  void write_read_counter();
  void write_change_ac();
  void write_transfer(const u8* thunk);
  void require_fsgsbase();

  // writer_special.cc
  void write_lea();
  void write_scan();
  void write_exchange();
  void write_divide();
  void write_bit_string();
  void write_system_flag();
  void write_sti();
  void write_swap_gs();
  void write_lent(u16 detail);
  void exit_to_lend(u16 detail);
  void write_repeat();

  // writer_stack.cc
  void write_push();
  void write_push_flags();
  void write_pop();
  void write_leave();
  void push_return();  // the address behind the step

  // writer_branch.cc
  void write_branch();
  void write_jump();
  void write_jump_indirect();
  void write_end();
  void jump_behind();
  void write_interpreted();
  void edge(const Edge& edge);
  // From behind step, with the flags as flags_.where says. jump: that leads here; nullptr: none yet.
  void go_to(i64 target, unsigned step, u8* jump = nullptr);
  std::optional<u16> pending_from(unsigned executed) const;
  void load_operand_target();
  void find_jump_or_exit();  // what cannot be found is for the interpreter
  // Finds the jump, does what else the instruction does, in few bytes, and takes it.
  template <class Effect>
  void find_and_take_jump(Effect effect);
  void take_jump();

  // What seldom happens: out of line, and with few bytes where a CallerWord can say the step's offset.
  template <class Write>
  void aside(Write write) {
    Assembler* const here = std::exchange(a_, cold_);
    const bool compact = std::exchange(compact_, in_page(step().offset));
    write();
    compact_ = compact;
    a_ = here;
  }

  // writer_call.cc
  void write_call();
  void write_call_indirect();
  void write_return();
  void leave_by_return();
  void pop_return();
  void call_found();
  bool is_usual_call() const;
  void call_far(i64 target);

  // writer_far.cc
  struct Far {  // a link to another page that is being written
    u8* place;
    u8* miss;
    u8* jump;
  };
  Boundary before_step() const { return {step().offset, not_executed()}; }
  Boundary behind_trace() const { return {trace_->end, 0}; }
  // Short traces of programs do not: few of them run often in one address space, and a link is more code.
  bool links_far() const { return !compact_ || view_ != unsigned(mmu::View::kUser); }
  Far begin_far();
  void take_far(Far& far, i64 target, unsigned rest);
  // page: that the trace goes on in, by its physical number.
  void miss_far(const Far& far, i64 target, Boundary from, std::optional<u32> page = {});
  void go_far(i64 target, Boundary from, unsigned rest);
  void enter_page();  // that the step is the first in
  // Links the step, the last one, to where it leads. effect: what else it does; found: what is left to do with a jump that
  // was searched for, where a link to another page misses.
  template <class Effect, class Found>
  void link_to(i64 target, Effect effect, Found found);
  // Before the jump to the address in kAddressReg is searched for: likewise, if that is the trace's guess.
  // Where the address in kAddressReg is not that of the next step, the trace is left.
  template <class Leave>
  void leave_unless_next(Leave leave);
  template <class Effect, class Found>
  void write_guess(Effect effect, Found found);
  void load_target(i64 offset, Reg to = kAddressReg);  // to = page + offset
  u8* jump_unless_at(i64 offset);                      // that is where kAddressReg leads; kScratch is lost

  const Layout& layout_;
  const Thunks& thunks_;
  const interpret::Interpreter& interpreter_;
  TranslationCache& cache_;
  unsigned view_ = 0;  // mmu::View
  bool code32_ = false;

  Assembler* a_ = nullptr;  // where the next instruction goes
  Assembler* hot_ = nullptr;
  Assembler* cold_ = nullptr;
  const Trace* trace_ = nullptr;
  Translation* out_ = nullptr;
  bool compact_ = false;
  bool short_ = false;  // the trace may become hot: all of it is compact, and it may go on in its separate translation
  unsigned index_ = 0;
  Flags flags_;
  std::optional<u16> heat_;
  u8* hot_jump_ = nullptr;  // to where budget_jump_ goes; nullptr: by its pad, or there is none
  u8* budget_jump_ = nullptr;
  u8* second_jump_ = nullptr;  // likewise, where code counts twice
  unsigned budget_step_ = 0;  // the trace stops before this one, after repeating what is before it
  bool budget_repeats_ = false;
  struct Rest {  // of the trace, behind that step
    const u8* at;
    Where where;
    std::array<u8, 2> held;  // the numbers of held_
  };
  Rest rest_{};
  unsigned given_back_ = 0;  // instructions behind the step that are counted no more
  bool repeating_ = false;   // the step before the trace stops, which needs its flags
  Address operand_{kAddressReg};
  struct Held {  // by a scratch register while nothing names it
    Reg scratch;
    u8 number = kInMemory;  // of the guest's register, or of the group; kInMemory: nothing
    const Assembler* in = nullptr;
    u32 mentions = 0;
  };
  std::array<Held, 2> held_{Held{kScratch}, Held{kAddressReg}};
  Held held_group_{kAddressReg};
  static Address group_cell(const Access& access) { return frame(offsetof(Frame, groups) + access.group * 8); }
  Held held_by(Reg scratch, unsigned number) const { return {scratch, u8(number), a_, a_->mentions(scratch)}; }
  bool still_holds(const Held& h, unsigned number) const {
    return h.number == number && h.in == a_ && h.mentions == a_->mentions(h.scratch);
  }
  std::vector<EarlyExit> early_exits_;
  std::vector<Edge> edges_;
};

template <class Effect>
void Writer::find_and_take_jump(Effect effect) {
  if (compact_) {
    find_jump_or_exit();
    effect();
    return take_jump();
  }
  u8* const miss = pieces().find_jump(true);
  const u8* const back = a_->at();
  effect();
  take_jump();
  early_exit(a_->make_pad(miss), ExitKind::kMissed, 0, back);
}

template <class Effect, class Found>
void Writer::link_to(i64 target, Effect effect, Found found) {
  if (in_page(target)) {
    effect();
    return go_to(target, index_);
  }
  Far far = begin_far();
  effect();
  take_far(far, target, 0);
  aside([&] {
    miss_far(far, target, before_step());
    found();
  });
}

template <class Leave>
void Writer::leave_unless_next(Leave leave) {
  u8* const elsewhere = jump_unless_at(next_offset());
  aside([&] {
    a_->link_here(elsewhere);
    given_back_ = not_executed() - 1;
    if (given_back_) a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(given_back_));
    leave();
    given_back_ = 0;
  });
}

template <class Effect, class Found>
void Writer::write_guess(Effect effect, Found found) {
  if (trace_->guess == kElsewhere || code32_) return;
  u8* const other = jump_unless_at(trace_->guess);
  link_to(trace_->guess, effect, found);
  a_->link_here(other);
}

}  // namespace pollux::cpu::translate
