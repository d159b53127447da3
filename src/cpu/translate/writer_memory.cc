// Guest addresses, and the inline look-up in the software TLB.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::effective_address(const decode::Decoded& d, Reg to) {
  Address a{kNoReg, i32(d.displacement)};
  const bool narrow = d.address_size == 4;
  if (d.base == decode::kRipRegister) {
    a_->load(to, frame(offsetof(Frame, page)));
    a.base = to;
    a.displacement += step().end();
  } else if (d.base != decode::kNoRegister) {
    a.base = kHostOf[d.base];
    if (a.base == kInMemory) a_->load(to, guest(d.base)), a.base = to;
  }
  if (d.index != decode::kNoRegister) {
    a.index = kHostOf[d.index];
    a.scale = d.scale;
    if (a.index == kInMemory) a_->load(kScratch, guest(d.index)), a.index = kScratch;
  }
  if (narrow) {
    a_->op({.code = 0x8d}, to, a);
  } else if (a.base != kNoReg && a.index == kNoReg && a.displacement == 0) {
    if (a.base != to) a_->mov(to, a.base);
  } else {
    a_->lea(to, a);
  }
}

void Writer::linear_address(const decode::Decoded& d) {
  effective_address(d, kAddressReg);
  if (d.segment != x86::kFs && d.segment != x86::kGs) return;
  const i32 base = d.segment == x86::kFs ? layout_.fs_base : layout_.gs_base;
  a_->op({.code = 0x03, .wide = true}, kAddressReg, Address{kFrameReg, base});
}

// mmu/tlb.h says what an entry is. The index is bits 12-25 of the address, scaled to the 16 bytes of an entry.
void Writer::look_up(unsigned size, bool write, bool aligned) {
  static_assert(sizeof(mmu::TlbEntry) == 16 && memory::kPageShift == 12);
  const i32 table = layout_.tables[view_][write];
  SlowPath slow{.retry = a_->at(), .access = size | (write ? kWriteAccess : 0) | (aligned ? kAlignedAccess : 0) | view_ << kViewShift,
                .step = index_};
  a_->mov32(kScratch, kAddressReg);
  a_->shift(5, kScratch, 8, false);
  a_->arithmetic(4, kScratch, (mmu::kTlbEntries - 1) << 4, false);
  a_->op({.code = 0x33, .wide = true}, kAddressReg, Address{kFrameReg, table, kScratch});
  if (aligned) {
    a_->op({.code = 0xf7, .wide = true}, 0, kAddressReg);  // test
    a_->immediate(u32(~(memory::kPageSize - size)), 4);
    slow.from = a_->jump_if(kNz);
  } else {
    a_->arithmetic(7, kAddressReg, i32(memory::kPageSize - size));
    slow.from = a_->jump_if(kNbe);
  }
  a_->op({.code = 0x03, .wide = true}, kAddressReg, Address{kFrameReg, table + 8, kScratch});
  slow_paths_.push_back(slow);
}

void Writer::operand_address() {
  const decode::Decoded& d = step().d;
  flags_before_clobber();
  linear_address(d);
  unsigned size = 0;
  bool write = false;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    if (d.operands[k].kind != decode::OperandKind::kMemory) continue;
    size = d.operands[k].bits / 8;
    write = d.operands[k].written;
  }
  bool aligned = size == 16;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
      aligned = false;
      break;
    default:
      break;
  }
  look_up(size, write, aligned);
  clobbered();
}

}  // namespace pollux::cpu::translate
