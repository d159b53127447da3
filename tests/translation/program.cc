#include "program.h"

#include <Zydis/Zydis.h>

#include <cstdio>
#include <cstring>

namespace pollux::test::translation {

namespace {

using Bytes = std::vector<u8>;

Bytes encode_item(Item item, u64 at, u64 target) {
  using Refers = Item::Refers;
  if (item.refers == Refers::kImmediate) item.form.immediate = target;
  if (item.refers == Refers::kDisplacement) item.memory.displacement = i32(target);
  if (item.refers == Refers::kRelative) {
    item.form.immediate = 0;
    const u64 length = encode_plain(item.form).size();
    item.form.immediate = target - (at + length);
  }
  switch (item.shape) {
    case Item::Shape::kRaw: return item.raw;
    case Item::Shape::kPlain: return encode_plain(item.form, item.reg);
    case Item::Shape::kRegister: return encode(item.form, item.reg, item.rm);
    case Item::Shape::kMemory: return encode(item.form, item.reg, item.memory, at);
  }
  return {};
}

std::vector<u64> addresses(const Program& program) {
  std::vector<u64> at(program.items.size() + 1);
  u64 next = kCode;
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    const Item& item = program.items[n];
    if (item.origin) next = item.origin;
    at[n] = next;
    if (!item.left_out) next += encode_item(item, next, kCode).size();
  }
  at.back() = next;
  return at;
}

Bytes bytes_of(const Program& program, const std::vector<u64>& at, std::size_t n) {
  const Item& item = program.items[n];
  return encode_item(item, at[n], at[item.target] + u64(i64(item.addend)));
}

}  // namespace

void lay_out(const Program& program, Image& image) {
  for (auto& page : image.pages) page.fill(0xf4);
  image.lengths.fill(1);
  const std::vector<u64> at = addresses(program);
  image.entry = at[0];
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    if (program.items[n].left_out) continue;
    const Bytes bytes = bytes_of(program, at, n);
    u64 offset = at[n] - kCode;
    if (offset < image.lengths.size()) image.lengths[offset] = u8(bytes.size());
    for (const u8 byte : bytes) {
      if (offset < kCodePages * 4096) image.pages[offset >> 12][offset & 4095] = byte;
      ++offset;
    }
  }
}

std::string listing(const Program& program) {
  const std::vector<u64> at = addresses(program);
  const auto mode = program.bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LONG_64;
  std::string text;
  for (std::size_t n = 0; n < program.items.size(); ++n) {
    if (program.items[n].left_out) continue;
    const Bytes bytes = bytes_of(program, at, n);
    std::string hex;
    for (const u8 byte : bytes) {
      char two[4];
      std::snprintf(two, sizeof two, "%02x ", byte);
      hex += two;
    }
    std::string meaning = "?";
    ZydisDisassembledInstruction z;
    if (!bytes.empty() && ZYAN_SUCCESS(ZydisDisassembleIntel(mode, at[n], bytes.data(), bytes.size(), &z))) {
      meaning = z.text;
    }
    char line[200];
    std::snprintf(line, sizeof line, "  %06lx  %-44s %s\n", at[n], hex.c_str(), meaning.c_str());
    text += line;
  }
  return text;
}

}  // namespace pollux::test::translation
