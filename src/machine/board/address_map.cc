#include "machine/board/address_map.h"

#include "base/check.h"

namespace pollux::machine::board {

void PortMap::add(u16 first, unsigned count, unsigned width, device::Registers& registers) {
  POLLUX_CHECK(ranges_.size() < 256, "an owner is named by a byte");
  ranges_.push_back({first, first + count, width, &registers});
  for (u32 port = first; port < u32(first) + count; ++port) {
    POLLUX_CHECK(owner_[port] == 0, "two devices at one port");
    owner_[port] = u8(ranges_.size() - 1);
  }
}

u32 PortMap::read(u16 port, unsigned size) {
  const u32 ones = size == 4 ? ~u32{0} : (u32{1} << (size * 8)) - 1;
  if (Range* range = whole(port, size)) return u32(range->registers->read(port - range->first, size)) & ones;
  if (size == 1) return ones;
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= read(u16(port + i), 1) << (i * 8);
  return value;
}

void PortMap::write(u16 port, unsigned size, u32 value) {
  if (Range* range = whole(port, size)) return range->registers->write(port - range->first, size, value);
  if (size == 1) return;
  for (unsigned i = 0; i < size; ++i) write(u16(port + i), 1, value >> (i * 8) & 0xff);
}

}  // namespace pollux::machine::board
