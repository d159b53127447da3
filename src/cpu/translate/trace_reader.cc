#include "cpu/translate/trace_reader.h"

#include <algorithm>

#include "cpu/interpret/mode.h"
#include "cpu/mmu/tlb.h"
#include "cpu/translate/flat32.h"
#include "cpu/translate/registers.h"
#include "cpu/translate/trace_path.h"
#include "memory/address.h"
#include "x86/state.h"

namespace pollux::cpu::translate {

namespace {

using decode::Decoded;
using decode::OperandKind;
using decode::Place;

bool in_low_registers(const decode::Operand& o) { return o.is_high_byte() || kHostOf[o.number] < 8; }

// AH, CH, DH and BH cannot be named beside a REX prefix.
bool writable_registers(const Decoded& d) {
  const auto end = d.operands.begin() + d.operand_count;
  if (std::none_of(d.operands.begin(), end, [](const decode::Operand& o) { return o.is_high_byte(); })) return true;
  return std::all_of(d.operands.begin(), end,
                     [](const decode::Operand& o) { return o.kind != OperandKind::kGpr || in_low_registers(o); });
}

bool plain_operands(const Decoded& d) {
  return std::all_of(d.operands.begin(), d.operands.begin() + d.operand_count, [](const decode::Operand& o) {
    return o.kind == OperandKind::kGpr || o.kind == OperandKind::kXmm || o.kind == OperandKind::kMemory ||
           o.kind == OperandKind::kImmediate;
  });
}

decode::CodeSize code_size(u32 mode) { return decode::CodeSize(mode & interpret::kCodeSizeMask); }
// Bytes that a push, a call or a return moves.
unsigned word_of(u32 mode) { return code_size(mode) == decode::CodeSize::k64 ? 8 : 4; }

// The displacement from the page's start must fit an instruction.
bool is_reachable(i64 displacement) {
  constexpr i64 kReach = (i64{1} << 31) - 8192;
  return displacement < kReach && displacement > -kReach;
}
bool reachable_memory(const Decoded& d) {
  if (!d.has_memory) return true;
  if (!d.encoding.has_modrm) return false;  // MOV with a 64-bit offset
  if (d.base == decode::kRipRegister && d.address_size != 8) return false;
  return is_reachable(d.displacement);
}

Action vector_action(const Decoded& d, const interpret::Binding& row, u32 mode) {
  using namespace interpret;
  if (mode & (kEm | kTs | kNoOsfxsr)) return Action::kInterpret;
  if ((row.traits & kSimdFp) && (mode & kSimdUnmasked)) return Action::kInterpret;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_HADDPS:  // of several NaNs makers take different ones
    case ZYDIS_MNEMONIC_HADDPD:
    case ZYDIS_MNEMONIC_HSUBPS:
    case ZYDIS_MNEMONIC_HSUBPD:
    case ZYDIS_MNEMONIC_DPPS:
    case ZYDIS_MNEMONIC_DPPD:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_STMXCSR:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_MOVDQ2Q:
    case ZYDIS_MNEMONIC_MOVQ2DQ:
    case ZYDIS_MNEMONIC_CVTPI2PS:  // makes the x87 registers MMX ones, also with an operand in memory
    case ZYDIS_MNEMONIC_CVTPI2PD: return Action::kInterpret;
    default: return Action::kSame;
  }
}

Action shift_action(const Decoded& d) { return (d.immediate & count_mask(d)) > 1 ? Action::kShift : Action::kSame; }

Action integer_action(const Decoded& d, bool supervisor, unsigned word) {
  const bool moves_word = d.operand_size == word;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_PREFETCHNTA:
    case ZYDIS_MNEMONIC_PREFETCHT0:
    case ZYDIS_MNEMONIC_PREFETCHT1:
    case ZYDIS_MNEMONIC_PREFETCHT2:
    case ZYDIS_MNEMONIC_PREFETCHW:
    case ZYDIS_MNEMONIC_PREFETCH: return Action::kNothing;

    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_ADC:
    case ZYDIS_MNEMONIC_SBB:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
    case ZYDIS_MNEMONIC_NEG:
    case ZYDIS_MNEMONIC_NOT:
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_CBW:
    case ZYDIS_MNEMONIC_CWDE:
    case ZYDIS_MNEMONIC_CDQE:
    case ZYDIS_MNEMONIC_CWD:
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO:
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_IMUL:
    case ZYDIS_MNEMONIC_XADD:
    case ZYDIS_MNEMONIC_CMPXCHG8B:
    case ZYDIS_MNEMONIC_CMPXCHG16B:
    case ZYDIS_MNEMONIC_POPCNT:
    case ZYDIS_MNEMONIC_CRC32:
    case ZYDIS_MNEMONIC_MOVBE:
    case ZYDIS_MNEMONIC_MOVNTI:
    case ZYDIS_MNEMONIC_CLC:
    case ZYDIS_MNEMONIC_STC:
    case ZYDIS_MNEMONIC_CMC:
    case ZYDIS_MNEMONIC_CMOVB:
    case ZYDIS_MNEMONIC_CMOVBE:
    case ZYDIS_MNEMONIC_CMOVL:
    case ZYDIS_MNEMONIC_CMOVLE:
    case ZYDIS_MNEMONIC_CMOVNB:
    case ZYDIS_MNEMONIC_CMOVNBE:
    case ZYDIS_MNEMONIC_CMOVNL:
    case ZYDIS_MNEMONIC_CMOVNLE:
    case ZYDIS_MNEMONIC_CMOVNO:
    case ZYDIS_MNEMONIC_CMOVNP:
    case ZYDIS_MNEMONIC_CMOVNS:
    case ZYDIS_MNEMONIC_CMOVNZ:
    case ZYDIS_MNEMONIC_CMOVO:
    case ZYDIS_MNEMONIC_CMOVP:
    case ZYDIS_MNEMONIC_CMOVS:
    case ZYDIS_MNEMONIC_CMOVZ:
    case ZYDIS_MNEMONIC_SETB:
    case ZYDIS_MNEMONIC_SETBE:
    case ZYDIS_MNEMONIC_SETL:
    case ZYDIS_MNEMONIC_SETLE:
    case ZYDIS_MNEMONIC_SETNB:
    case ZYDIS_MNEMONIC_SETNBE:
    case ZYDIS_MNEMONIC_SETNL:
    case ZYDIS_MNEMONIC_SETNLE:
    case ZYDIS_MNEMONIC_SETNO:
    case ZYDIS_MNEMONIC_SETNP:
    case ZYDIS_MNEMONIC_SETNS:
    case ZYDIS_MNEMONIC_SETNZ:
    case ZYDIS_MNEMONIC_SETO:
    case ZYDIS_MNEMONIC_SETP:
    case ZYDIS_MNEMONIC_SETS:
    case ZYDIS_MNEMONIC_SETZ: return Action::kSame;

    case ZYDIS_MNEMONIC_BSWAP: return d.operand_size >= 4 ? Action::kSame : Action::kInterpret;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      // With a register's number and memory it reaches a whole bit string.
      if (!d.has_memory || d.operands[1].kind != OperandKind::kGpr) return Action::kSame;
      return d.operand_size >= 4 && d.address_size == 8 ? Action::kBitString : Action::kInterpret;
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR: return d.operand_size >= 4 ? Action::kScan : Action::kInterpret;
    case ZYDIS_MNEMONIC_CMPXCHG:
      // AH beside memory changes places with AL, which is what it compares with.
      return d.has_memory && d.operands[1].is_high_byte() ? Action::kInterpret : Action::kSame;
    case ZYDIS_MNEMONIC_XCHG:
      return d.has_memory && !d.operands[0].is_high_byte() && !d.operands[1].is_high_byte() ? Action::kExchange
                                                                                            : Action::kSame;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
      if (d.encoding.immediate_bytes) return shift_action(d);
      if (!counts_by_cl(d)) return Action::kSame;
      return d.has_memory || d.operands[0].number == x86::kRcx || d.operands[0].is_high_byte() ? Action::kInterpret
                                                                                               : Action::kShiftByCl;
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
      return d.encoding.map == 0 && (d.opcode == 0xd0 || d.opcode == 0xd1) ? Action::kSame : Action::kInterpret;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
      if (d.operand_size < 4 || d.has_memory) return Action::kInterpret;
      if (!counts_by_cl(d)) return Action::kDoubleShift;
      return d.operands[0].number == x86::kRcx ? Action::kInterpret : Action::kShiftByCl;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV: return d.operand_size >= 4 ? Action::kDivide : Action::kInterpret;
    case ZYDIS_MNEMONIC_LEA: return Action::kLea;
    case ZYDIS_MNEMONIC_CLD:
    case ZYDIS_MNEMONIC_STD: return Action::kSystemFlag;
    case ZYDIS_MNEMONIC_CLI: return supervisor ? Action::kSystemFlag : Action::kInterpret;
    case ZYDIS_MNEMONIC_STI: return supervisor ? Action::kSti : Action::kInterpret;
    case ZYDIS_MNEMONIC_SWAPGS: return supervisor ? Action::kSwapGs : Action::kInterpret;
    case ZYDIS_MNEMONIC_PUSHFQ: return Action::kPushFlags;
    case ZYDIS_MNEMONIC_PUSH:
      return moves_word && d.operands[0].kind != OperandKind::kSegment ? Action::kPush : Action::kInterpret;
    case ZYDIS_MNEMONIC_POP:
      return moves_word && d.operands[0].kind == OperandKind::kGpr ? Action::kPop : Action::kInterpret;
    case ZYDIS_MNEMONIC_LEAVE: return moves_word ? Action::kLeave : Action::kInterpret;
    default: return Action::kInterpret;
  }
}

Action branch_action(const Decoded& d, unsigned word) {
  if (d.far || d.operand_size != word) return Action::kInterpret;
  const bool direct = d.operands[0].kind == OperandKind::kRelative;
  if (direct && !is_reachable(i64(d.immediate))) return Action::kInterpret;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_JMP: return direct ? Action::kJump : Action::kJumpIndirect;
    case ZYDIS_MNEMONIC_CALL: return direct ? Action::kCall : Action::kCallIndirect;
    case ZYDIS_MNEMONIC_RET: return Action::kReturn;
    default: break;
  }
  const bool conditional =
      (d.encoding.map == 0 && (d.opcode & 0xf0) == 0x70) || (d.encoding.map == 1 && (d.opcode & 0xf0) == 0x80);
  return conditional ? Action::kBranch : Action::kInterpret;
}

bool repeats(const Decoded& d) {
  if (!d.rep || d.address_size != 8) return false;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_STOSQ: return true;
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_MOVSQ: return !d.is_in_fs_or_gs();
    default: return false;
  }
}

// Registers of the state that lie in memory and mean nothing else to the translator.
Action state_action(const Decoded& d, mmu::View view, u32 mode) {
  const bool supervisor = view != mmu::View::kUser;
  const decode::Operand& from = d.operands[1];
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      if (from.kind == OperandKind::kSegment) return Action::kReadState;
      if (d.operands[0].kind != OperandKind::kGpr) return Action::kInterpret;
      return from.kind == OperandKind::kControl && supervisor && from.number <= 4 && from.number != 1
                 ? Action::kReadState
                 : Action::kInterpret;
    case ZYDIS_MNEMONIC_CLAC:
    case ZYDIS_MNEMONIC_STAC:
      if (!supervisor) return Action::kInterpret;
      return (view == mmu::View::kSupervisorAc) == (d.mnemonic == ZYDIS_MNEMONIC_STAC) ? Action::kNothing
                                                                                       : Action::kChangeAc;
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP: return Action::kReadCounter;
    case ZYDIS_MNEMONIC_SYSCALL: return word_of(mode) == 8 ? Action::kSystemCall : Action::kInterpret;
    case ZYDIS_MNEMONIC_SYSRET: return supervisor && d.operand_size == 8 ? Action::kSystemReturn : Action::kInterpret;
    case ZYDIS_MNEMONIC_RDFSBASE:
    case ZYDIS_MNEMONIC_RDGSBASE: return word_of(mode) == 8 ? Action::kReadState : Action::kInterpret;
    case ZYDIS_MNEMONIC_WRFSBASE:
    case ZYDIS_MNEMONIC_WRGSBASE: return word_of(mode) == 8 ? Action::kWriteBase : Action::kInterpret;
    default: return Action::kInterpret;
  }
}

Action own_action(const Decoded& d, const interpret::Binding* row, u32 mode) {
  const auto view = mmu::View(mode >> kViewShiftInMode & 3);
  const bool supervisor = view != mmu::View::kUser;
  const unsigned word = word_of(mode);
  if (integer_action(d, supervisor, word) == Action::kNothing) return Action::kNothing;
  if (repeats(d) && row->unit == interpret::Unit::kInteger) return Action::kRepeat;
  if (!reachable_memory(d)) return Action::kInterpret;
  if (word == 4 && !is_flat_operand(d, mode)) return Action::kInterpret;
  if (const Action own = state_action(d, view, mode); own != Action::kInterpret) return own;
  if (row->traits & interpret::kBranch) return branch_action(d, word);
  if (row->unit == interpret::Unit::kSse) {
    return plain_operands(d) ? vector_action(d, *row, mode) : Action::kInterpret;
  }
  if (row->unit != interpret::Unit::kInteger) return Action::kInterpret;
  const Action action = integer_action(d, supervisor, word);
  if (action == Action::kPush || action == Action::kPushFlags || action == Action::kPop) return action;
  return plain_operands(d) && writable_registers(d) ? action : Action::kInterpret;
}

Action choose(const Decoded& d, const interpret::Binding* row, u32 mode) {
  if (!row || (d.lock && !(row->traits & interpret::kLockable))) return Action::kInterpret;
  const Action own = own_action(d, row, mode);
  if (own != Action::kInterpret) return own;
  return row->traits & (interpret::kEndsBlock | interpret::kBranch) ? Action::kLentLast : Action::kLent;
}

// Legacy SSE wants operands of 16 bytes aligned, with these exceptions (SDM vol. 2, 2.4); so does CMPXCHG16B.
bool wants_alignment(const Decoded& d) {
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM: return false;
    default:
      return std::any_of(d.operands.begin(), d.operands.begin() + d.operand_count,
                         [](const decode::Operand& o) { return o.kind == OperandKind::kMemory && o.bits == 128; });
  }
}

void find_needed_flags(std::vector<Step>& steps) {
  bool needed = true;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    step->needed_after = needed;
    needed = step->flags.reads || may_exit(*step) || (!overwrites_flags(*step) && needed);
    step->needed_before = needed;
  }
}

}  // namespace

bool overwrites_flags(const Step& step) { return step.flags.writes_all && step.action != Action::kShiftByCl; }

bool may_exit(const Step& step) {
  const auto looks_up = [](const Access& access) {
    return access.kind != Access::Kind::kMember || access.check_alignment;
  };
  if (step.enters) return true;
  switch (step.action) {
    case Action::kNothing:
    case Action::kLea:
    case Action::kFollowed:
    case Action::kSwapGs: return false;
    case Action::kSame:
    case Action::kShift:
    case Action::kShiftByCl:
    case Action::kDoubleShift:
    case Action::kScan:
    case Action::kExchange: return step.d.has_memory && looks_up(step.operand);
    case Action::kPush: return looks_up(step.stack) || (step.d.has_memory && looks_up(step.operand));
    case Action::kPop:
    case Action::kLeave: return looks_up(step.stack);
    case Action::kCall: return !step.taken || looks_up(step.stack);
    default: return true;
  }
}

i64 branch_target(const Step& step) { return i64(step.end()) + i64(step.d.immediate); }

namespace {

// What lies at a distance from the instruction, which may be in another page than the trace's beginning.
bool names_reachable(const Step& step) {
  const Decoded& d = step.d;
  if (d.has_memory && d.base == decode::kRipRegister && !is_reachable(step.end() + d.displacement)) return false;
  return d.operand_count == 0 || d.operands[0].kind != OperandKind::kRelative || is_reachable(branch_target(step));
}

// False: it is for the interpreter, and the trace has no such step.
bool read_step(interpret::InstructionReader& reader, ByteSpan bytes, u32 mode, Trace& trace) {
  Step& step = trace.steps.emplace_back();
  step.offset = trace.end;
  const decode::DecodeStatus status = reader.read(code_size(mode), bytes, step.d, step.row);
  if (code_size(mode) == decode::CodeSize::k32) encode_as_64_bit(step.d);
  if (status == decode::DecodeStatus::kOk) step.action = choose(step.d, step.row, mode);
  if (!names_reachable(step)) step.action = Action::kInterpret;
  if (step.action == Action::kInterpret) {
    trace.steps.pop_back();
    trace.interpret = true;
    trace.crosses = status == decode::DecodeStatus::kTruncated;
    return false;
  }
  step.flags = flag_effect(step.d);
  step.operand.aligned = wants_alignment(step.d);
  trace.end = step.end();
  return true;
}

void begin_trace(Trace& trace, u16 offset) {
  trace.steps.clear();
  trace.pages.clear();
  trace.turns = 0;
  trace.interpret = trace.crosses = false;
  trace.guess = kElsewhere;
  trace.end = offset;
}

void note_pages(Trace& trace, const PageAt& page_at) {
  for (Step& step : trace.steps) {
    const i32 distance = page_of(step.offset);
    if (distance == 0 || std::ranges::find(trace.pages, distance, &Trace::Page::distance) != trace.pages.end())
      continue;
    step.enters = true;
    trace.pages.push_back({distance, page_at(distance).number});
  }
}

}  // namespace

void read_trace(interpret::InstructionReader& reader, const PageAt& page_at, u16 offset, u32 mode, const Reach& reach,
                Seen seen, Trace& trace) {
  begin_trace(trace, offset);
  TracePath path(offset, page_at, reach, seen, trace);
  const auto may_go_on = [&] {
    const std::size_t length = trace.steps.size();
    return length < reach.steps || (length < reach.straight && trace.steps.back().action < Action::kBranch);
  };
  bool ended = false;
  while (!ended && may_go_on()) {
    const ByteSpan page = path.page(trace.end);
    const u64 at = u64(trace.end) & memory::kPageMask;
    ended = page.empty() || !read_step(reader, page.subspan(at, std::min<u64>(15, page.size() - at)), mode, trace) ||
            !path.goes_on();
  }
  path.take_back_calls();
  note_pages(trace, page_at);
  trace.guess = path.guess();
  if (reach.group) plan_accesses(trace.steps, word_of(mode), !reach.compact);
  find_needed_flags(trace.steps);
}

void read_crossing(interpret::InstructionReader& reader, ByteSpan bytes, u16 offset, u32 mode, Trace& trace) {
  begin_trace(trace, offset);
  if (read_step(reader, bytes, mode, trace)) find_needed_flags(trace.steps);
}

}  // namespace pollux::cpu::translate
