// The translator: the fast engine behind cpu::Cpu. It runs 64-bit code, and 32-bit user code with flat segments
// (flat32.h), as host code made from it, and lends everything else to an interpreter that it contains: other modes,
// system instructions, faults, interrupts, device memory, and the last instructions before an exact position. Both work
// on one state, one MMU and one set of TLB tables, so going from one to the other is a matter of loading registers.
//
// How it runs: run() looks up the translation at rip (jump entries, then physical address and mode) or makes one, and
// enters it. Translated code goes on from trace to trace by itself. Where it cannot, it calls serve() with a record
// (exit.h): the translator fills a table, lets the interpreter execute an instruction, finds or makes a translation,
// and answers with the code that goes on. Positions are exact because each trace counts its instructions against
// Frame::budget before it executes them.
#pragma once

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "base/check.h"
#include "cpu/cpu.h"
#include "cpu/interpret/interpreter.h"
#include "cpu/translate/code_places.h"
#include "cpu/translate/frame.h"
#include "cpu/translate/spaces.h"
#include "cpu/translate/thunks.h"
#include "cpu/translate/translation_cache.h"
#include "cpu/translate/writer.h"
#include "memory/code_region.h"

namespace pollux::cpu::translate {

struct Counters {
  u64 entered = 0;  // times translated code was entered
  u64 translated_instructions = 0;
  u64 lent_instructions = 0;
  u64 interpreted_steps = 0;
  u64 translations = 0;
  u64 code_bytes = 0;  // of all translations
  u64 evictions = 0;
};

// What fill_table() answers.
struct Filled {
  enum class How : u8 {
    kHit,        // the access will hit now
    kGranted,    // this write may be made, in page tables, at host
    kInterpret,  // it is for the interpreter: a fault, device memory, a page border, a watched page
    kSeparate,   // the group's range crosses a page
  };
  How how;
  std::byte* host = nullptr;
};

// Code is translated at first sight, in short traces, some of which become long ones.
struct Patience {
  i32 entered = 2500;   // times a short trace is entered
  unsigned looks = kLooks;  // at where its code goes, before it becomes long
  i32 relinks = 16;     // times links to other pages miss, before one is made new; at least 1
};
inline constexpr Patience kImpatient{.entered = 2, .looks = 1, .relinks = 1};  // for tests

class Translator final : public Cpu, private mmu::CodeObserver {
 public:
  // region: at least 1 MiB.
  Translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region, Patience patience);

  StopReason run(door::Position until, EarlyStop early = {}) override;
  // For who looks closely: like run(), but returns kPosition behind the first translation and one more instruction, or
  // behind one position. code: the translation, up to somewhere behind its end; empty: none was entered.
  StopReason step(door::Position until, ByteSpan& code);
  door::Position position() const override { return interpreter_.position(); }
  void set_position(door::Position position) override { interpreter_.set_position(position); }
  x86::State& state() override { return interpreter_.state(); }
  void state_changed() override {
    rest_ = {};
    interpreter_.state_changed();
  }
  void set_interrupt_line(bool raised) override { interpreter_.set_interrupt_line(raised); }
  void raise_nmi() override { interpreter_.raise_nmi(); }
  void request_stop() override { interpreter_.request_stop(); }
  void visit(Visitor& v) override;

  const Counters& counts() const { return counters_; }
  std::vector<std::pair<std::string, u64>> counters() const override;

 private:
  static constexpr Reach kShort{.steps = 24, .turns = 1, .compact = true};
  static constexpr Reach kLong{.steps = 64, .straight = Trace::kMaxSteps, .turns = 8};
  // It goes where the trace beside it went, that has seen more, so that flags that wait there can wait here.
  static constexpr Reach kSeparate{.steps = 24, .turns = 1, .group = false, .unseen_calls = true};
  static constexpr Reach kShortSeparate{.steps = 24, .turns = 1, .group = false, .compact = true, .unseen_calls = true};
  static_assert(kShort.steps <= CallerWord::kMostBack && kShortSeparate.steps <= CallerWord::kMostBack);
  static constexpr u64 kDecodedBytes = u64{4} << 20;          // seldom needed again
  static constexpr u64 kMargin = 2 * Writer::kMostUncounted;  // more than may pass between two looks at the budget
  // Exits that take about as long as the instructions between two looks at early_: they, too, lead to a look.
  static constexpr u64 kExitsToLook = 512;

  // translator.cc. These return code to go on with; nullptr: the run ends, for reason_.
  const u8* next_code();  // interprets until there is some
  const u8* begin(const Translation& translation);
  void begin_at(u64 rip);
  // Code that goes on in the middle of the trace that a look has interrupted, if all is as it was; or nullptr.
  const u8* rest();
  const u8* end_step();
  // Looks whether the run is to end early, where that is due.
  bool ends_early();
  void set_horizon();
  // The running trace is the last one before a look.
  void end_with_trace();
  // Up to where the interpreter may go on by itself.
  u64 next_look() const {
    POLLUX_CHECK(position().value < until_, "nothing executes at the end of a run");
    return std::max(horizon_, position().value + 1);
  }
  // From the position on; executed: instructions behind it that are counted already.
  void give_budget(u64 executed = 0);
  // What translated code may execute before it comes back. Never negative: code that goes on may compare with it.
  i64 new_budget() const { return std::max<i64>(0, i64(horizon_ - position().value) - i64(kMargin)); }
  bool may_translate() const;
  u32 mode() const;
  // Where the jump entries lead from linear; nullptr: they do not know.
  Translation* known_jump(u64 linear, u64 here, JumpKind kind = JumpKind::kJump);
  // nullptr: executing at rip faults, or is for the interpreter.
  Translation* find(u64 rip);
  Translation* find_or_make(u64 rip);  // beside the jump entries
  // of_short: where a short trace goes on.
  Translation* find_separate(u64 rip, bool of_short);
  Translation* find_crossing(u64 rip);
  mmu::View fetch_view() const { return interpret::Interpreter::view_of(interpreter_.cpl()); }
  bool may_hold_code(u64 linear) const;
  std::optional<mmu::Translation> fetch(u64 rip);
  // counts: how often it is entered, and becomes hot one day.
  Translation& translate(const mmu::Translation& code, u32 mode, const Reach& reach, bool counts);
  // What has become hot, at linear.
  Translation& translate_hot(const mmu::Translation& code, u64 linear, Seen seen);
  // Interprets on from where the trace that begins at linear was, to where the code goes far away, or a trace could go
  // no further and another one begins soon, and notes the way. False: the run ends.
  bool look_ahead(u64 linear, std::vector<i32>& seen);
  Translation& write(const mmu::Translation& code, u32 mode, const Reach& reach, bool counts);
  void make_room();
  // Begins anew to count how often traces are entered, when much code was written meanwhile: in a program whose code
  // does not fit, few traces live long enough to be worth making longer.
  void cool();

  // translator_contexts.cc
  u64 context(u64 rip) const { return context(rip >> 63, interpreter_.view(), interpreter_.flat_bits()); }
  u64 context(bool upper, mmu::View view, u32 flat_bits) const;
  // Forgets the jump entries when their contexts could repeat, or say too little.
  void look_after_jumps();
  // What was known in contexts that come no more.
  void forget_dead_spaces();
  void be_nowhere();
  bool is_live(u64 context) const;
  u32 salt(u64 context);
  bool is_of(u32 salt, u64 context) const;
  u32 epoch(u32 salt);
  void clear_jump(u16 index);
  void clear_jumps();
  // Makes the frame's transfers those of the MMU's state.
  void look_after_transfers();
  void note_place(u64 context, u64 physical, u64 linear);
  void remember_jump(u64 rip, u64 context, Translation& to);
  void enter_jump(u64 linear, u64 context, JumpKind kind, Translation& to);
  void forget_jumps(std::span<Translation* const> to);
  // to: new.
  void redirect_jumps(const Translation& from, Translation& to);

  // exits.cc
  u8* writable(const u8* code) const { return const_cast<u8*>(code) - cache_.executable(); }
  static const u8* serve(Frame* frame, const u8* record);
  const u8* serve(const Exit& exit, const u8* record);
  const u8* arrived();
  const u8* access(const Exit& exit, const u8* record);
  const u8* crosses(const Exit& exit, const u8* record);
  const u8* far(const Exit& exit);
  // For a jump or call to linear that is about to be made. nullptr: it is for the interpreter.
  Translation* find_target(u64 linear);
  const u8* missed(const Exit& exit, const u8* record);
  const u8* lent(const Exit& exit, const u8* record);
  const u8* link(const Exit& exit, const u8* record);
  const u8* hot(u64 linear);
  void leap_to_longer(Translation& old, Translation& made);
  const u8* interpret_one();
  const u8* budget(const Exit& exit, const u8* record);
  // Whether what the running trace relies on is as it was when code was entered: itself, and what addresses mean.
  bool trace_holds() const { return drops_ == begun_drops_ && is_of(frame_.salt, context(frame_.page)); }
  // Makes the state that of the instruction boundary before the exit's instruction.
  void settle(const Exit& exit);
  Filled fill_table(u64 linear, u16 access);
  bool grant_entry_write(const mmu::Translation& to, u64 size);

  // mmu::CodeObserver
  bool code_write(memory::PhysAddr from, u64 length) override;
  void fetch_changed() override {}  // contexts follow the MMU's counts

  // Below the frame: room for the host's signal frames.
  [[maybe_unused]] alignas(64) std::array<std::byte, 64 << 10> stack_;
  Frame frame_;
  std::array<Translation*, kJumpEntries> jump_targets_{};  // of the frame's jump entries
  interpret::Interpreter interpreter_;
  Layout layout_;
  TranslationCache cache_;
  Trace trace_;  // that is being translated
  // Of hot translations: where their code went (read_trace).
  struct Looks {
    unsigned count = 0;
    std::vector<i32> seen;
  };
  std::unordered_map<const Translation*, Looks> looks_;
  Thunks thunks_;
  Writer writer_;
  const Patience patience_;
  u64 from_ = 0, until_ = 0;          // of the run
  EarlyStop early_;                   // of the run
  u64 horizon_ = 0;                   // position at which to look at early_ again, at most until_
  u64 exits_ = 0;                     // since the last look
  bool stepping_ = false;             // in step()
  struct Rest {                       // of a trace, behind the look that has interrupted it
    const u8* code = nullptr;
    unsigned steps = 0;
    u64 rip = 0;
    u64 context = 0;
    u32 mode = 0;
    u64 drops = 0;
  };
  Rest rest_;
  StopReason reason_ = StopReason::kPosition;
  u64 drops_ = 0;        // times that translations were dropped
  u64 begun_drops_ = 0;  // when code was entered
  u16 next_heat_ = 0;
  u64 cooled_ = 0;      // counters_.code_bytes at that time
  u64 jump_epoch_ = 0;  // of what contexts leave out
  Spaces spaces_;
  u32 last_epoch_ = 0;
  CodePlaces places_;
  u64 transfers_version_ = ~u64{0};  // of the MMU, when the frame's transfers were made
  Counters counters_;
};

}  // namespace pollux::cpu::translate
