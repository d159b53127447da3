// Guest addresses, and the inline look-up in the software TLB.
#include "cpu/translate/flat32.h"
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::effective_address(const decode::Decoded& d, Reg to, i32 extra, bool narrow) {
  Address a{kNoReg, i32(d.displacement) + extra};
  if (d.base == decode::kRipRegister) {
    a_->load(to, frame(offsetof(Frame, page)));
    a.base = to;
    a.displacement += step().end();
  } else if (d.base != decode::kNoRegister) {
    a.base = kHostOf[d.base];
    if (a.base == kInMemory) {
      const Reg held = holder(d.base);
      const bool stays = held != kScratch || d.index == decode::kNoRegister || kHostOf[d.index] != kInMemory;
      a.base = held != kInMemory && stays ? held : to;
      if (a.base != held) a_->load(to, guest(d.base));
    }
  }
  if (d.index != decode::kNoRegister) {
    a.index = kHostOf[d.index];
    a.scale = d.scale;
    if (a.index == kInMemory) {
      if (holder(d.index) != kScratch) a_->load(kScratch, guest(d.index));
      a.index = kScratch;
    }
  }
  if (narrow) {
    a_->op({.code = 0x8d}, to, a);
  } else if (a.base != kNoReg && a.index == kNoReg && a.displacement == 0) {
    if (a.base != to) a_->mov(to, a.base);
  } else {
    a_->lea(to, a);
  }
}

void Writer::linear_address(const decode::Decoded& d, i32 extra) {
  effective_address(d, kAddressReg, extra, d.address_size == 4);
  if (code32_) check_limit(d);
  add_segment_base(d);
}

// An operand in FS or GS may reach beyond 4 GiB. In the others, which begin at 0, such an operand crosses a page.
void Writer::check_limit(const decode::Decoded& d) {
  if (!may_pass_limit(d)) return;
  a_->arithmetic(7, kAddressReg, -i32(memory_bytes(d)), false);
  early_exit(a_->jump_away_if(kNbe));
}

void Writer::add_segment_base(const decode::Decoded& d) {
  if (!d.is_in_fs_or_gs()) return;
  const i32 base = d.segment == x86::kFs ? layout_.fs_base : layout_.gs_base;
  a_->op({.code = 0x03, .wide = !code32_}, kAddressReg, Address{kFrameReg, base});
}

void Writer::look_up(const Access& access, unsigned size, bool write, Sequences::Gives gives) {
  const bool group = access.kind == Access::Kind::kFirst;
  const bool aligned = access.aligned && !group;
  const bool read_for_write = group && access.write && !write;
  if (group) size = access.span, write = access.write;
  if (compact_) {
    const unsigned size_class = Thunks::size_class(size);
    POLLUX_CHECK(group || size == 1u << size_class, "an operand's size is a power of two");
    call_and_say(aligned ? thunks_.look_up_aligned[view_][write] : thunks_.look_up[view_][write][size_class],
                 caller_word(group));
  } else {
    const u8* const again = a_->at();
    u8* const miss = pieces().look_up(view_, write, size, aligned, gives);
    const bool apart = gives != Sequences::Gives::kHost;
    const bool padded = a_->at() - again < Sequences::look_up_bytes(layout_, view_, write);
    early_exit(miss, ExitKind::kAccess, access_detail(size, write, aligned, group, view_, apart, padded), again);
    early_exits_.back().read_for_write = read_for_write;
  }
  if (group) keep_group(access);
}

void Writer::operand_address(bool apart) {
  const decode::Decoded& d = step().d;
  const Access& access = step().operand;
  operand_ = {kAddressReg};
  if (access.kind != Access::Kind::kAlone) operand_.displacement = access.offset;
  if (access.kind == Access::Kind::kMember) {
    load_group(access);
    check_alignment(access);
    return;
  }
  flags_before_clobber();
  linear_address(d, -i32(operand_.displacement));
  check_alignment(access);  // before the look-up, which may set an accessed bit
  apart &= !compact_ && access.kind == Access::Kind::kAlone;
  using Gives = Sequences::Gives;
  const Gives gives = !apart ? Gives::kHost : is_plain(d) ? Gives::kDistance : Gives::kSum;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    if (d.operands[k].kind == decode::OperandKind::kMemory)
      look_up(access, d.operands[k].bits / 8, d.operands[k].written, gives);
  }
  if (apart) operand_.index = kScratch;
  if (gives == Gives::kDistance) {
    operand_.base = kHostOf[d.base];
    operand_.displacement = i32(d.displacement);
  }
  clobbered();
}

bool Writer::is_plain(const decode::Decoded& d) const {
  if (d.base == decode::kNoRegister || d.base == decode::kRipRegister || d.index != decode::kNoRegister) return false;
  if (d.is_in_fs_or_gs() || d.address_size != 8) return false;
  // Code may exchange the halves of a register that has a high byte.
  const auto is_high_byte_of_base = [&](const decode::Operand& o) { return o.is_high_byte() && o.gpr() == d.base; };
  if (std::ranges::any_of(std::span(d.operands).first(d.operand_count), is_high_byte_of_base)) return false;
  return kHostOf[d.base] != kInMemory;
}

// Of operand_, while kAddressReg is either address: page and host page are aligned alike.
void Writer::check_alignment(const Access& access) {
  if (!access.check_alignment) return;
  flags_before_clobber();
  const Reg low = operand_.displacement ? kScratch : kAddressReg;
  if (operand_.displacement) a_->lea(kScratch, operand_);
  a_->op({.code = 0xf6}, 0, low);  // test byte
  a_->immediate(15, 1);
  early_exit(a_->jump_away_if(kNz));
  clobbered();
}

Address Writer::stack_address(Reg base, i32 displacement, bool write) {
  const Access& access = step().stack;
  const i32 offset = access.kind == Access::Kind::kAlone ? 0 : access.offset;
  if (access.kind == Access::Kind::kMember) {
    load_group(access);
    return {kAddressReg, offset};
  }
  flags_before_clobber();
  lea_word(kAddressReg, {base, displacement - offset});
  look_up(access, unsigned(word()), write);
  clobbered();
  return {kAddressReg, offset};
}

}  // namespace pollux::cpu::translate
