// What a computer is made of, as a value. The configuration travels whole: encode() gives bytes that hold the kernel
// and the initrd too, so that a log or a backup needs no other file to make an equal machine.
//
// Used by the app (which fills it from options), ComputerFactory (which decodes it) and the log's header.
// Invariant: decode(encode(c)) == c; decode refuses anything that it did not write (magic, version, checksum, ranges).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::machine::computer {

struct DiskConfig {
  u64 size_bytes = 0;  // a multiple of 512, not 0
  bool read_only = false;
  std::string serial;  // what the guest sees, at most 20 bytes
  bool operator==(const DiskConfig&) const = default;
};

struct NicConfig {
  std::array<u8, 6> mac{};  // not multicast
  bool operator==(const NicConfig&) const = default;
};

// 32.32 fixed point nanoseconds an instruction. 20 ns: a processor of 50 million instructions a second.
inline constexpr u64 kDefaultRate = u64{20} << 32;

struct Config {
  u64 memory_bytes = u64{1} << 30;  // a multiple of 4 KiB, at least 1 MiB
  u32 cpus = 1;                     // 1 to platform::kMaxCpus
  Bytes kernel;
  Bytes initrd;  // may be empty
  std::string command_line;
  std::vector<DiskConfig> disks;  // /dev/vda is the first
  std::vector<NicConfig> nics;
  u64 rate = kDefaultRate;  // of virtual time, until the first clock input
  bool operator==(const Config&) const = default;
};

inline constexpr u32 kMaxDisks = 16;
inline constexpr u32 kMaxNics = 8;

// kUsage, with a sentence for the operator, when the configuration cannot be a computer.
Result<void> validate(const Config& config);

Bytes encode(const Config& config);
// kFormat when the bytes are not a configuration, kUsage when they are of another version.
Result<Config> decode(ByteSpan bytes);

}  // namespace pollux::machine::computer
