// Finds the block at rip, or decodes it.
#include <algorithm>

#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"
#include "cpu/interpret/mode.h"
#include "cpu/interpret/simd_check.h"

namespace pollux::cpu::interpret {

namespace {

void undefined_opcode(Interpreter& cpu, const Instruction&) { cpu.raise(x86::Exception::kInvalidOpcode); }
void device_not_available(Interpreter& cpu, const Instruction&) { cpu.raise(x86::Exception::kNoMath); }
void too_long(Interpreter& cpu, const Instruction&) { cpu.raise(x86::Exception::kProtection, 0); }

i16 register_cell(u8 number) {
  if (number == decode::kNoRegister) return kZeroCell;
  if (number == decode::kRipRegister) return kBlockRipCell;
  return i16(number * 8);
}

i16 base_cell(u8 segment) {
  return i16(offsetof(x86::State, segment) + segment * sizeof(x86::Segment) + offsetof(x86::Segment, base) -
             offsetof(x86::State, gpr));
}

u8 operand_register(const decode::Operand& o) {
  if (o.kind != decode::OperandKind::kGpr) return o.number;
  return u8(o.gpr() * 8 + (o.is_high_byte() ? 1 : 0));
}

// The handler that the state of the units leaves.
Handler available(const Binding& row, u32 mode) {
  const auto one_of = [mode](u32 bits) { return (mode & bits) != 0; };
  bool undefined = false, absent = false;
  switch (row.unit) {
    case Unit::kInteger: break;
    case Unit::kX87: absent = one_of(kEm | kTs); break;
    case Unit::kWait: absent = (mode & (kMp | kTs)) == (kMp | kTs); break;
    case Unit::kMmx: undefined = one_of(kEm), absent = one_of(kTs); break;
    case Unit::kSse: undefined = one_of(kEm | kNoOsfxsr), absent = one_of(kTs); break;
    case Unit::kFxsave: absent = one_of(kEm | kTs); break;
    case Unit::kXsave: undefined = one_of(kNoOsxsave), absent = one_of(kTs); break;
  }
  if (undefined) return undefined_opcode;
  if (absent) return device_not_available;
  if ((row.traits & kSimdFp) && one_of(kSimdUnmasked)) return checked_simd;
  return row.handler;
}

Instruction to_instruction(const decode::Decoded& d, const Binding& row, u32 mode, unsigned offset,
                           decode::CodeSize code_size) {
  Instruction i;
  i.handler = available(row, mode);
  i.unchecked = row.handler;
  i.immediate = d.immediate;
  i.displacement = d.displacement;
  i.base = register_cell(d.base);
  i.index = register_cell(d.index);
  i.scale = d.scale;
  i.segment = d.segment;
  i.segment_base = kZeroCell;
  i.offset = u16(offset);
  i.length = d.length;
  i.operand_size = d.operand_size;
  i.address_size = d.address_size;
  i.immediate2 = d.immediate2;
  i.mnemonic = u16(d.mnemonic);
  i.opcode = d.opcode;
  i.bits = u8((d.lock ? kLock : 0) | (d.rep ? kRep : 0) | (d.repne ? kRepne : 0) | (d.has_memory ? kHasMemory : 0));
  if (code_size != decode::CodeSize::k64 || d.address_size != 8) {
    i.bits |= kSegmented;
  } else if (d.is_in_fs_or_gs()) {
    i.segment_base = base_cell(d.segment);
  }
  if (d.base == decode::kRipRegister) i.displacement += offset + d.length;
  for (unsigned k = 0; k < d.operand_count && k < i.r.size(); ++k) {
    i.r[k] = operand_register(d.operands[k]);
    if (d.operands[k].kind == decode::OperandKind::kRelative) i.immediate += offset + d.length;
  }
  return i;
}

}  // namespace

Instruction Interpreter::lend(const decode::Decoded& decoded, const Binding& row) const {
  return to_instruction(decoded, row, mode_bits_, 0, code_size_);
}

void Interpreter::flags_again(const decode::Decoded& decoded, const Binding& row, u64 shifted) {
  const decode::Operand& to = decoded.operands[0];
  const decode::Operand& from = decoded.operands[1];
  const auto source = [&] {
    return from.kind == decode::OperandKind::kGpr ? r_.state.gpr[from.number] : decoded.immediate;
  };
  // Its operand as it was; the instruction makes the result of it again.
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_ADD: r_.state.gpr[to.number] -= source(); break;
    case ZYDIS_MNEMONIC_SUB: r_.state.gpr[to.number] += source(); break;
    case ZYDIS_MNEMONIC_XOR: r_.state.gpr[to.number] ^= source(); break;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR: r_.state.gpr[to.number] = shifted; break;
    default: break;
  }
  row.handler(*this, lend(decoded, row));
}

Block* Interpreter::find_block() {
  const u64 rip = r_.state.rip;
  const bool flat = code64();
  const u64 linear = flat ? rip : u32(r_.state.segment[x86::kCs].base + rip);
  if (Block* b = blocks_.jump_target(linear, context_[linear >> 63])) [[likely]] {
    if (flat || rip + b->bytes - 1 <= r_.state.segment[x86::kCs].limit) return b;
  }
  if (blocks_.collect()) last_block_ = nullptr;
  if (flat) {
    if (!x86::is_canonical(rip)) raise(x86::Exception::kProtection, 0);
  } else if (rip > r_.state.segment[x86::kCs].limit) {
    raise(x86::Exception::kProtection, 0);
  }
  const mmu::View view = view_of(cpl_);
  const mmu::Translation t = translate(view, linear, mmu::Access::kFetch);
  Block* b = t.host ? blocks_.find(t.physical.value, mode_bits_) : nullptr;
  if (b && b->second_page != ~u64{0}) {
    const mmu::Translation rest = translate(view, next_page(linear), mmu::Access::kFetch);
    if (rest.physical.value >> memory::kPageShift != b->second_page) b = nullptr;
  }
  if (!b) b = build(linear, t.physical.value, t.host);
  if (!flat && rip + b->bytes - 1 > r_.state.segment[x86::kCs].limit) return b;  // run() looks at each instruction
  if (b->second_page == ~u64{0} && t.host) blocks_.remember_jump(linear, context_[linear >> 63], b);
  return b;
}

Block* Interpreter::build(u64 linear, u64 physical, std::byte* host) {
  Block block;
  block.physical = physical;
  block.mode = mode_bits_;
  Instruction instructions[Block::kMaxInstructions];
  const unsigned in_page = unsigned(memory::kPageSize - (physical & memory::kPageMask));
  unsigned offset = 0;
  bool ended = false;

  // The bytes of an instruction that is not within one page of RAM. What is outside RAM is ones, and no device hears of
  // it: a repeated instruction is fetched as often as runs are cut.
  std::byte copy[15];
  const auto gather = [&](const std::byte* second_page) {
    const unsigned n = std::min<unsigned>(in_page, sizeof copy);
    std::memset(copy, 0xff, sizeof copy);
    if (host) std::memcpy(copy, host, n);
    if (second_page) std::memcpy(copy + n, second_page, sizeof copy - n);
  };

  while (!ended && block.count < most_in_block_) {
    decode::Decoded d;
    ByteSpan bytes;
    if (host) {
      bytes = {host + offset, std::min(in_page - offset, 15u)};
    } else {
      gather(nullptr);
      bytes = {copy, std::min<unsigned>(in_page, sizeof copy)};
      ended = true;
    }
    const Binding* row;
    decode::DecodeStatus status = reader_.read(code_size_, bytes, d, row);
    if (status == decode::DecodeStatus::kTruncated) {
      if (block.count > 0) break;
      const mmu::Translation rest = translate(view_of(cpl_), next_page(linear), mmu::Access::kFetch);
      gather(rest.host);
      status = reader_.read(code_size_, {copy, sizeof copy}, d, row);
      block.second_page = rest.physical.value >> memory::kPageShift;
      if (rest.host && host) mmu_.watch_code(memory::PhysAddr(rest.physical.value & ~memory::kPageMask));
      if (!rest.host) host = nullptr;
      ended = true;
    }
    Instruction& i = instructions[block.count++];
    if (row && d.lock && !(row->traits & kLockable)) row = nullptr;
    if (!row) {
      i = Instruction();
      i.handler = status == decode::DecodeStatus::kTooLong ? too_long : undefined_opcode;
      i.offset = u16(offset);
      i.length = 1;
      offset += 1;
      break;
    }
    i = to_instruction(d, *row, mode_bits_, offset, code_size_);
    offset += d.length;
    if (row->traits & (kEndsBlock | kBranch)) {
      ended = true;
      block.linkable = row->traits & kDirect;
    }
    if (block.second_page == ~u64{0} && offset >= in_page) ended = true;
  }
  if (!ended && block.count > 0) block.linkable = true;
  block.bytes = u16(offset);
  if (!host) {
    // Not kept: its memory lives until the next collect().
    Block* b = blocks_.add(block, instructions);
    blocks_.drop_page(physical >> memory::kPageShift);
    return b;
  }
  mmu_.watch_code(memory::PhysAddr(physical & ~memory::kPageMask));
  return blocks_.add(block, instructions);
}

// A write into code, also into the running block: it ends with this instruction and is found anew.
bool Interpreter::code_write(memory::PhysAddr from, u64 length) {
  if (second_observer_) second_observer_->code_write(from, length);
  blocks_.drop_page(from.value >> memory::kPageShift);
  ++code_writes_;
  fetch_changed();
  return true;
}

void Interpreter::fetch_changed() {
  update_context();
  last_block_ = nullptr;
  code_changed_ = true;
  if (current_) end_block();
}

void Interpreter::update_context() {
  constexpr u64 kCounts = (1 << 21) - 1;
  for (const bool upper : {false, true}) {
    context_[upper] = mmu_.fetch_space(upper) | u64(cpl_ == 3) << 13 | u64(mode_bits_) << 14 |
                      (mmu_.fetch_changes(upper) & kCounts) << 22 | (code_writes_ & kCounts) << 43;
  }
  // Counts that begin again could make old jumps look new.
  const u64 round = mmu_.fetch_changes(false) / (kCounts + 1) + mmu_.fetch_changes(true) / (kCounts + 1) +
                    code_writes_ / (kCounts + 1);
  if (round != context_round_) blocks_.forget_jumps();
  context_round_ = round;
}

}  // namespace pollux::cpu::interpret
