#include "host/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "host/huge_page.h"

namespace pollux::host {

namespace {

const u64 kBegin = up_to_huge_page(u64(::sbrk(0)));  // of the heap, before it is used

void advise(u64 end, int advice) {
  if (kBegin < end) ::madvise(reinterpret_cast<void*>(kBegin), end - kBegin, advice);  // only helps
}

}  // namespace

void settle_heap() {
  constexpr u64 kStep = u64{32} << 20, kBlock = 64 << 10, kMostBlocks = kStep / kBlock;
  ::malloc_trim(0);
  ::mallopt(M_TOP_PAD, int(kStep));  // the heap's next growth, which small blocks lead to
  void* const before = ::sbrk(0);
  std::vector<void*> blocks;
  blocks.reserve(kMostBlocks);
  while (::sbrk(0) == before && blocks.size() < kMostBlocks) {
    void* const block = std::malloc(kBlock);
    if (!block) break;  // under a limit: who needs more than there is will say so
    blocks.push_back(block);
  }
  std::ranges::for_each(blocks, std::free);
  advise(u64(::sbrk(0)), MADV_HUGEPAGE);
  advise(down_to_huge_page(u64(before)), MADV_COLLAPSE);
}

}  // namespace pollux::host
