// The door in: every nondeterministic input a machine can get, a closed list. A machine is a function of the
// sequence of (position, input). Beside each input stands why it cannot be computed.
// Specified by docs/format/log.md, which gives the encoding (log/input_codec).
#pragma once

#include <variant>

#include "base/bytes.h"
#include "door/position.h"

namespace pollux::door {

// The host's clock drifts against any instruction rate. From the position of delivery on, virtual time is
// max(virtual time there, now) and advances by rate / 2^32 nanoseconds an instruction.
struct ClockInput {
  VirtualNs now;
  u64 rate = 0;  // nanoseconds per instruction, 32.32 fixed point; > 0
  bool operator==(const ClockInput&) const = default;
};

// Other machines send when they like. One Ethernet frame without its checksum, for network card nic.
struct PacketInput {
  u32 nic = 0;
  Bytes frame;
  bool operator==(const PacketInput&) const = default;
};

enum class DiskStatus : u8 { kOk, kIoError, kUnsupported, kNoSpace };

// Disks are late and can fail. data is what a read returned (empty for all else, and on failure).
struct DiskCompletionInput {
  u32 disk = 0;
  u64 request = 0;
  DiskStatus status = DiskStatus::kOk;
  Bytes data;
  bool operator==(const DiskCompletionInput&) const = default;
};

// People type.
struct ConsoleInput {
  Bytes bytes;
  bool operator==(const ConsoleInput&) const = default;
};

// Secrets must not be computable. Bytes for the entropy device's pool.
struct EntropyInput {
  Bytes bytes;
  bool operator==(const EntropyInput&) const = default;
};

// The date at virtual time zero, nanoseconds since 1970 UTC. Once, at power-on.
struct WallClockInput {
  u64 unix_ns = 0;
  bool operator==(const WallClockInput&) const = default;
};

// Cables are pulled.
struct LinkInput {
  u32 nic = 0;
  bool up = true;
  bool operator==(const LinkInput&) const = default;
};

// The operator asks the guest to shut down.
struct PowerButtonInput {
  bool operator==(const PowerButtonInput&) const = default;
};

enum class DeviceChange : u8 { kAttachDisk, kDetachDisk, kResizeDisk };

// The operator changes the hardware. size_bytes: the disk's new size (attach, resize).
struct DeviceInput {
  DeviceChange change = DeviceChange::kResizeDisk;
  u32 index = 0;
  u64 size_bytes = 0;
  bool operator==(const DeviceInput&) const = default;
};

// The operator ends the run: the machine goes no further than this position.
struct StopInput {
  bool operator==(const StopInput&) const = default;
};

using Input = std::variant<ClockInput, PacketInput, DiskCompletionInput, ConsoleInput, EntropyInput, WallClockInput,
                           LinkInput, PowerButtonInput, DeviceInput, StopInput>;

// The name of an input's kind, as `pollux log` prints it.
const char* name(const Input& input);

}  // namespace pollux::door
