#include "cpu/interpret/block_cache.h"

#include <algorithm>
#include <cstring>

namespace pollux::cpu::interpret {

namespace {
constexpr u64 kArenaStep = u64{1} << 20;
}

BlockCache::BlockCache(u64 most) : table_(kTableSize), jumps_(kJumps), most_(most) {}

void* BlockCache::allocate(u64 bytes) {
  bytes = (bytes + 15) & ~u64{15};
  if (arena_used_ + bytes > arena_size_) {
    arena_size_ = std::max(kArenaStep, bytes);
    arenas_.push_back(std::make_unique<std::byte[]>(arena_size_));
    arena_used_ = 0;
  }
  void* at = arenas_.back().get() + arena_used_;
  arena_used_ += bytes;
  total_ += bytes;
  return at;
}

Block* BlockCache::find_slow(u64 physical, u32 mode) {
  const auto page = pages_.find(physical >> memory::kPageShift);
  if (page == pages_.end()) return nullptr;
  for (Block* b : page->second) {
    if (b->physical == physical && b->mode == mode) return table_[hash(physical, mode)] = b;
  }
  return nullptr;
}

Block* BlockCache::add(const Block& block, const Instruction* instructions) {
  Block* b = new (allocate(sizeof(Block))) Block(block);
  b->instructions = static_cast<Instruction*>(allocate(block.count * sizeof(Instruction)));
  std::memcpy(static_cast<void*>(b->instructions), instructions, block.count * sizeof(Instruction));
  table_[hash(b->physical, b->mode)] = b;
  pages_[b->physical >> memory::kPageShift].push_back(b);
  if (b->second_page != ~u64{0}) pages_[b->second_page].push_back(b);
  return b;
}

void BlockCache::drop_page(u64 physical_page) {
  const auto page = pages_.find(physical_page);
  if (page == pages_.end()) return;
  const std::vector<Block*> dropped = std::move(page->second);
  pages_.erase(page);
  for (Block* b : dropped) {
    b->dead = true;
    b->links = {};
    Block*& slot = table_[hash(b->physical, b->mode)];
    if (slot == b) slot = nullptr;
    const u64 first = b->physical >> memory::kPageShift;
    const u64 other = first == physical_page ? b->second_page : first;
    if (const auto o = pages_.find(other); o != pages_.end()) std::erase(o->second, b);
  }
}

void BlockCache::drop_all() {
  for (auto& [page, blocks] : pages_) {
    for (Block* b : blocks) b->dead = true, b->links = {};
  }
  pages_.clear();
  std::fill(table_.begin(), table_.end(), nullptr);
  forget_jumps();
  all_dropped_ = true;
}

bool BlockCache::collect() {
  if (total_ < most_ && !all_dropped_) return false;
  if (!all_dropped_) drop_all();
  arenas_.clear();
  arena_used_ = arena_size_ = total_ = 0;
  all_dropped_ = false;
  return true;
}

void BlockCache::forget_jumps() { std::fill(jumps_.begin(), jumps_.end(), Jump()); }

}  // namespace pollux::cpu::interpret
