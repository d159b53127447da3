// The door out: every effect a machine can have, a closed list. A machine never performs I/O: it emits an output at
// a position, and a session decides when and whether it reaches the world.
#pragma once

#include <string>
#include <variant>

#include "base/bytes.h"
#include "door/position.h"

namespace pollux::door {

// One Ethernet frame without its checksum, from network card nic.
struct PacketOutput {
  u32 nic = 0;
  Bytes frame;
  bool operator==(const PacketOutput&) const = default;
};

enum class DiskOperation : u8 { kRead, kWrite, kFlush, kDiscard, kWriteZeroes };

// A request to disk number disk. Offsets and lengths in bytes, multiples of 512. request is unique within the disk
// and names the completion (DiskCompletionInput). data holds a write's bytes, copied when the guest rang the
// doorbell; a read or discard has length only.
struct DiskOutput {
  u32 disk = 0;
  u64 request = 0;
  DiskOperation operation = DiskOperation::kRead;
  u64 offset = 0;
  u64 length = 0;
  Bytes data;
  bool operator==(const DiskOutput&) const = default;
};

struct ConsoleOutput {
  Bytes bytes;
  bool operator==(const ConsoleOutput&) const = default;
};

enum class PowerEvent : u8 {
  kOff,     // ACPI S5, or the exit port
  kReset,   // the guest asked for a reset, or a triple fault
};

struct PowerOutput {
  PowerEvent event = PowerEvent::kOff;
  u32 code = 0;  // what the guest wrote to the exit port, else 0
  bool operator==(const PowerOutput&) const = default;
};

// A sentence for the operator, e.g. "the guest used an unknown model-specific register 0x123".
struct OperatorOutput {
  std::string line;
  bool operator==(const OperatorOutput&) const = default;
};

using Output = std::variant<PacketOutput, DiskOutput, ConsoleOutput, PowerOutput, OperatorOutput>;

struct OutputAt {
  Position position;  // of the instruction that made it
  Output output;
  bool operator==(const OutputAt&) const = default;
};

const char* name(const Output& output);

}  // namespace pollux::door
