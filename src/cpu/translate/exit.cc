#include "cpu/translate/exit.h"

#include <cstring>

#include "base/check.h"
#include "cpu/translate/trace_reader.h"
#include "memory/address.h"

namespace pollux::cpu::translate {

namespace {

constexpr i32 kPage = i32(memory::kPageSize);

}  // namespace

u32 narrow_flags(i32 flags_from, u32 none, i32 page) {
  if (flags_from == Exit::kNone) return none;
  if (flags_from == Exit::kPending) return none - 1;
  POLLUX_CHECK(flags_from >= page && flags_from < page + kPage, "an exit's flags are made in its own page");
  return u32(flags_from - page);
}

i32 widen_flags(u32 narrow, u32 none, i32 page) {
  if (narrow == none) return Exit::kNone;
  return narrow == none - 1 ? Exit::kPending : page + i32(narrow);
}

bool Exit::is_elsewhere() const { return offset < 0 || offset > kPage; }

unsigned Exit::bytes() const { return unsigned(sizeof(Record) + (is_elsewhere() ? sizeof(i32) : 0)); }

void write_exit(Assembler& a, const Exit& e) {
  const i32 page = e.is_elsewhere() ? page_of(e.offset) : 0;
  a.write(Record{.kind = u8(u8(e.kind) | (e.is_elsewhere() ? Record::kElsewhere : 0)),
                 .give_back = e.give_back,
                 .offset = u16(e.offset - page),
                 .flags_from = u16(narrow_flags(e.flags_from, Record::kNone, page)),
                 .detail = e.detail,
                 .to = e.to});
  if (e.is_elsewhere()) a.write(page);
}

Exit read_exit(const u8* record) {
  Record r;
  std::memcpy(&r, record, sizeof r);
  i32 page = 0;
  if (r.kind & Record::kElsewhere) std::memcpy(&page, record + sizeof r, sizeof page);
  return {.kind = ExitKind(r.kind & ~Record::kElsewhere),
          .give_back = r.give_back,
          .detail = r.detail,
          .offset = page + r.offset,
          .flags_from = widen_flags(r.flags_from, Record::kNone, page),
          .to = r.to};
}

}  // namespace pollux::cpu::translate
