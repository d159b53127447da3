#include "minimise.h"

#include <algorithm>

namespace pollux::test::translation {

namespace {

bool drop_items(Program& program, std::size_t count, const std::function<bool(const Program&)>& fails) {
  bool any = false;
  for (std::size_t first = 0; first < program.items.size(); first += count) {
    Program smaller = program;
    bool changed = false;
    for (std::size_t n = first; n < std::min(first + count, smaller.items.size()); ++n) {
      changed |= !smaller.items[n].left_out;
      smaller.items[n].left_out = true;
    }
    if (changed && fails(smaller)) program = std::move(smaller), any = true;
  }
  return any;
}

template <class Change>
void attempt(Program& program, const std::function<bool(const Program&)>& fails, Change change) {
  Program smaller = program;
  change(smaller);
  if (fails(smaller)) program = std::move(smaller);
}

}  // namespace

Program minimise(Program program, const std::function<bool(const Program&)>& fails) {
  for (std::size_t count = 16; count > 0; count /= 2) {
    while (drop_items(program, count, fails)) {}
  }
  for (std::size_t n = program.events.size(); n-- > 0;) {
    attempt(program, fails, [n](Program& p) { p.events.erase(p.events.begin() + i64(n)); });
  }
  for (unsigned n = 0; n < 16; ++n) attempt(program, fails, [n](Program& p) { p.state.gpr[n] = 0; });
  for (unsigned n = 0; n < 16; ++n) attempt(program, fails, [n](Program& p) { p.state.xmm[n] = {}; });
  attempt(program, fails, [](Program& p) { p.state.rflags = 2; });
  attempt(program, fails, [](Program& p) { p.state.mxcsr = 0x1f80; });
  attempt(program, fails, [](Program& p) { p.state.cr4 = 0; });
  attempt(program, fails, [](Program& p) { p.state.cr0 = 0; });
  if (program.bits == 64) attempt(program, fails, [](Program& p) { p.user = false; });
  return program;
}

}  // namespace pollux::test::translation
