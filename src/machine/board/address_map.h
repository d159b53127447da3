// Which device answers at which port.
//
// The board adds ranges once and then looks them up at every access. A device with byte registers (width 1) gets a
// wider access as single bytes, lowest first; a device with width 4 gets it whole if it lies in its range. Ports
// where nobody answers read as ones; writes to them vanish.
#pragma once

#include <vector>

#include "device/device.h"

namespace pollux::machine::board {

class PortMap {
 public:
  PortMap() : owner_(65536, 0), ranges_(1) {}

  // Ranges do not overlap.
  void add(u16 first, unsigned count, unsigned width, device::Registers& registers);

  u32 read(u16 port, unsigned size);
  void write(u16 port, unsigned size, u32 value);

 private:
  struct Range {
    u16 first = 0;
    u32 end = 0;  // one past the last port
    unsigned width = 0;
    device::Registers* registers = nullptr;
  };

  // The range that takes the access whole, or nullptr.
  Range* whole(u16 port, unsigned size) {
    Range& range = ranges_[owner_[port]];
    return range.registers && size <= range.width && u32(port) + size <= range.end ? &range : nullptr;
  }

  std::vector<u8> owner_;  // index into ranges_; 0: nobody
  std::vector<Range> ranges_;
};

}  // namespace pollux::machine::board
