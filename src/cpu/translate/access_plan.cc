#include "cpu/translate/access_plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "cpu/translate/trace_reader.h"
#include "x86/state.h"

namespace pollux::cpu::translate {

namespace {

using decode::Decoded;
using decode::OperandKind;

// A register's content: an unknown number and a known distance from it.
struct Value {
  u32 id = 0;
  i64 offset = 0;
};

struct Place {
  u32 base, index;
  u8 scale, segment;
  bool operator==(const Place&) const = default;
};

struct Group {
  Place place;
  bool write;
  i64 low, high;
  unsigned members;
};

struct Member {
  Access* access;
  i64 offset;
  unsigned group;
};

class Planner {
 public:
  Planner(std::span<Step> steps, unsigned word, bool reads_for_writes)
      : steps_(steps), word_(word), reads_for_writes_(reads_for_writes) {
    for (Value& value : values_) value = fresh();
  }

  void plan() {
    for (Step& step : steps_) {
      // They change what an address means.
      if (step.action == Action::kSwapGs || step.action == Action::kWriteBase) closed_ = group_count_;
      if (step.action == Action::kLent || step.action == Action::kRepeat) {
        closed_ = group_count_;
        for (Value& value : values_) value = fresh();
        continue;
      }
      read_operand(step);
      use_stack(step);
      follow(step);
    }
    u8 slots = 0;
    for (unsigned n = 0; n < group_count_; ++n) {
      if (groups_[n].members < 2 || slots == kGroups) continue;
      finish(n, slots++);
    }
  }

 private:
  Value fresh() { return {next_id_++, 0}; }

  void read_operand(Step& step) {
    const Decoded& d = step.d;
    if (!d.has_memory || d.address_size != word_) return;
    if (step.action == Action::kNothing || step.action == Action::kLea || step.action == Action::kBitString) return;
    Place place{};
    i64 offset = d.displacement;
    if (d.base == decode::kRipRegister) {
      place.base = kPageId;
      offset += step.end();
    } else if (d.base != decode::kNoRegister) {
      place.base = values_[d.base].id;
      offset += values_[d.base].offset;
    }
    if (d.index != decode::kNoRegister) {
      place.index = values_[d.index].id;
      place.scale = d.scale;
      offset += i64(u64(values_[d.index].offset) << d.scale);
    }
    if (d.is_in_fs_or_gs()) {
      if (word_ == 4) return;
      place.segment = d.segment;
    }
    for (unsigned k = 0; k < d.operand_count; ++k) {
      const decode::Operand& operand = d.operands[k];
      if (operand.kind == OperandKind::kMemory) add(step.operand, place, offset, operand.bits / 8, operand.written);
    }
  }

  void use_stack(Step& step) {
    Value at = values_[x86::kRsp];
    bool write = true;
    switch (step.action) {
      case Action::kPush:
      case Action::kPushFlags:
      case Action::kCall:
      case Action::kCallIndirect: at.offset -= word_; break;
      case Action::kPop:
      case Action::kReturn: write = false; break;
      case Action::kLeave: at = values_[x86::kRbp], write = false; break;
      default: return;
    }
    Place place{};
    place.base = at.id;
    add(step.stack, place, at.offset, word_, write);
  }

  void add(Access& access, const Place& place, i64 at, unsigned size, bool write) {
    POLLUX_CHECK(member_count_ < members_.size(), "a step has at most two accesses");
    for (unsigned n = closed_; n < group_count_; ++n) {
      Group& group = groups_[n];
      if (group.place != place || (write && !group.write && !reads_for_writes_)) continue;
      const i64 low = std::min(group.low, at), high = std::max(group.high, at + size);
      if (high - low > kMaxSpan) continue;
      group.low = low;
      group.high = high;
      group.write |= write;
      ++group.members;
      members_[member_count_++] = {&access, at, n};
      return;
    }
    groups_[group_count_] = {.place = place, .write = write, .low = at, .high = at + size, .members = 1};
    members_[member_count_++] = {&access, at, group_count_++};
  }

  void finish(unsigned number, u8 slot) {
    const Group& group = groups_[number];
    std::optional<i64> known;  // an offset that is aligned
    bool first = true;
    for (unsigned n = 0; n < member_count_; ++n) {
      const Member& member = members_[n];
      if (member.group != number) continue;
      Access& access = *member.access;
      if (access.aligned) {
        access.check_alignment = !known || (*known - member.offset) % 16 != 0;
        known = member.offset;
      }
      access.kind = std::exchange(first, false) ? Access::Kind::kFirst : Access::Kind::kMember;
      access.group = slot;
      access.offset = u16(member.offset - group.low);
      access.span = u16(group.high - group.low);
      access.write = group.write;
    }
  }

  // What the step does to the registers.
  void follow(const Step& step) {
    const Decoded& d = step.d;
    Value& rsp = values_[x86::kRsp];
    switch (step.action) {
      case Action::kPush:
      case Action::kPushFlags:
      case Action::kCall:
      case Action::kCallIndirect: rsp.offset -= word_; return;
      case Action::kReturn: rsp.offset += popped_by_return(d, word_); return;
      case Action::kPop:
        rsp.offset += word_;
        values_[d.operands[0].number] = fresh();
        return;
      case Action::kLeave:
        rsp = values_[x86::kRbp];
        rsp.offset += word_;
        values_[x86::kRbp] = fresh();
        return;
      default: break;
    }
    if (const auto moved = computed(step)) {
      values_[d.operands[0].number] = *moved;
      return;
    }
    for (unsigned n = 0; n < 16; ++n) {
      if (d.gprs_written >> n & 1) values_[n] = fresh();
    }
  }

  // The value of a whole destination that follows from known ones.
  std::optional<Value> computed(const Step& step) const {
    const Decoded& d = step.d;
    const decode::Operand& to = d.operands[0];
    if (to.kind != OperandKind::kGpr || to.bits != word_ * 8) return std::nullopt;
    Value value = values_[to.number];
    const bool immediate = d.operands[1].kind == OperandKind::kImmediate;
    switch (d.mnemonic) {
      case ZYDIS_MNEMONIC_ADD:
        if (!immediate) return std::nullopt;
        value.offset += i64(d.immediate);
        return value;
      case ZYDIS_MNEMONIC_SUB:
        if (!immediate) return std::nullopt;
        value.offset -= i64(d.immediate);
        return value;
      case ZYDIS_MNEMONIC_INC: ++value.offset; return value;
      case ZYDIS_MNEMONIC_DEC: --value.offset; return value;
      case ZYDIS_MNEMONIC_MOV:
        if (d.operands[1].kind != OperandKind::kGpr) return std::nullopt;
        return values_[d.operands[1].number];
      case ZYDIS_MNEMONIC_LEA:
        if (d.address_size != word_ || d.index != decode::kNoRegister || d.base == decode::kNoRegister)
          return std::nullopt;
        value = d.base == decode::kRipRegister ? Value{kPageId, step.end()} : values_[d.base];
        value.offset += d.displacement;
        return value;
      default: return std::nullopt;
    }
  }

  static constexpr u32 kPageId = 1;
  std::span<Step> steps_;
  const unsigned word_;
  const bool reads_for_writes_;
  u32 next_id_ = 2;
  std::array<Value, 16> values_;
  // Both are filled as far as they are counted.
  std::array<Group, 2 * Trace::kMaxSteps> groups_;
  std::array<Member, 2 * Trace::kMaxSteps> members_;
  unsigned group_count_ = 0, member_count_ = 0;
  unsigned closed_ = 0;  // groups that nothing joins any more
};

}  // namespace

void plan_accesses(std::span<Step> steps, unsigned word, bool reads_for_writes) {
  Planner(steps, word, reads_for_writes).plan();
}

}  // namespace pollux::cpu::translate
