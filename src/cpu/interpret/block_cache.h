// Blocks of decoded instructions, found by guest-physical address and mode, and the jump cache that finds them by rip.
//
// A block is a straight run of instructions within one page, up to a branch, to an instruction that may change what
// the following ones mean, or to kMaxInstructions. An instruction that crosses into the next page is a block of its
// own, tied to both pages (second_page), and never remembered by links or by the jump cache, so that each execution
// checks that both pages are still the ones decoded.
//
// Invariants
//  1. A cached block's bytes equal guest memory: its pages are watched, and a write to a page with code throws away
//     all blocks of that page before the write happens.
//  2. A thrown-away block stays in memory until the next collect(), because it may be running.
//  3. Links lead only to blocks of the same page and mode, so they die with the block itself.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/interpret/instruction.h"
#include "memory/address.h"

namespace pollux::cpu::interpret {

struct Block {
  static constexpr unsigned kMaxInstructions = 64;

  u64 physical = 0;
  u64 second_page = ~u64{0};  // number of the physical page with the rest of a crossing instruction
  u32 mode = 0;
  u16 count = 0;
  u16 bytes = 0;       // length of code; the fall-through is at rip + bytes
  bool linkable = false;  // ends in a direct branch or falls through without a change of mode
  bool dead = false;
  struct Link {
    u64 delta = ~u64{0};  // rip of the next block minus rip of this one
    Block* block = nullptr;
  };
  std::array<Link, 2> links{};
  Instruction* instructions = nullptr;
};

class BlockCache {
 public:
  // most: bytes of decoded code, before all is dropped.
  explicit BlockCache(u64 most);

  // nullptr when not cached.
  Block* find(u64 physical, u32 mode) {
    Block* b = table_[hash(physical, mode)];
    if (b && b->physical == physical && b->mode == mode && !b->dead) return b;
    return find_slow(physical, mode);
  }
  // Takes a copy of the instructions. The caller has the pages watched.
  Block* add(const Block& block, const Instruction* instructions);

  // Throws away all blocks with bytes in the page of this number. The caller then changes the context by which it
  // asks for jump targets.
  void drop_page(u64 physical_page);
  void drop_all();
  // Frees what was thrown away when there is much of it. Call it when no block runs; true: all blocks are gone.
  bool collect();

  // Jump cache.
  Block* jump_target(u64 rip, u64 context) const {
    const Jump& j = jumps_[jump_index(rip)];
    return j.rip == rip && j.context == context ? j.block : nullptr;
  }
  void remember_jump(u64 rip, u64 context, Block* block) { jumps_[jump_index(rip)] = {rip, context, block}; }
  void forget_jumps();

 private:
  struct Jump {
    u64 rip = 0;
    u64 context = ~u64{0};
    Block* block = nullptr;
  };
  static constexpr unsigned kTableSize = 1 << 16;
  static constexpr unsigned kJumps = 1 << 13;
  static unsigned hash(u64 physical, u32 mode) {
    return unsigned((physical ^ physical >> 13 ^ u64(mode) * 0x9e37) & (kTableSize - 1));
  }
  static unsigned jump_index(u64 rip) { return unsigned((rip ^ rip >> 12) & (kJumps - 1)); }
  Block* find_slow(u64 physical, u32 mode);
  void* allocate(u64 bytes);

  std::vector<Block*> table_;      // latest block by hash
  std::vector<Jump> jumps_;
  std::unordered_map<u64, std::vector<Block*>> pages_;  // by physical page: all live blocks with bytes in it
  std::vector<std::unique_ptr<std::byte[]>> arenas_;
  u64 arena_used_ = 0, arena_size_ = 0, total_ = 0;
  const u64 most_;
  bool all_dropped_ = false;
};

}  // namespace pollux::cpu::interpret
