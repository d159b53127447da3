#include "machine/computer/config.h"

#include "base/checksum.h"
#include "machine/platform.h"

namespace pollux::machine::computer {
namespace {

constexpr u64 kMagic = 0x72657475'706d6f43;  // "Computer" in a file
constexpr u32 kVersion = 2;

std::unexpected<Error> usage(std::string sentence) { return fail(ErrorKind::kUsage, std::move(sentence)); }

}  // namespace

Result<void> validate(const Config& c) {
  constexpr u64 kMiB = u64{1} << 20;
  if (c.memory_bytes % 4096 != 0 || c.memory_bytes < kMiB) {
    return usage("The memory size must be a multiple of 4 KiB and at least 1 MiB.");
  }
  if (c.memory_bytes > platform::kMaxMemory) {
    return usage("The memory size must be at most " + std::to_string(platform::kMaxMemory >> 30) + " GiB.");
  }
  if (c.cpus < 1 || c.cpus > platform::kMaxCpus) {
    return usage("A computer has 1 to " + std::to_string(platform::kMaxCpus) + " processors, not " +
                 std::to_string(c.cpus) + ".");
  }
  if (c.rate == 0) return usage("The rate of virtual time must not be zero.");
  if (c.disks.size() > kMaxDisks) return usage("A computer has at most " + std::to_string(kMaxDisks) + " disks.");
  if (c.nics.size() > kMaxNics) return usage("A computer has at most " + std::to_string(kMaxNics) + " network cards.");
  for (std::size_t i = 0; i < c.disks.size(); ++i) {
    const std::string which = "Disk " + std::to_string(i) + ": ";
    if (c.disks[i].size_bytes == 0 || c.disks[i].size_bytes % 512 != 0) {
      return usage(which + "its size must be a multiple of 512 bytes and not zero.");
    }
    if (c.disks[i].serial.size() > 20) return usage(which + "its serial number may have at most 20 bytes.");
  }
  for (std::size_t i = 0; i < c.nics.size(); ++i) {
    if (c.nics[i].mac[0] & 1) {
      return usage("Network card " + std::to_string(i) + ": its address must not be a multicast address.");
    }
  }
  return {};
}

Bytes encode(const Config& c) {
  ByteWriter out;
  out.put<u64>(kMagic);
  out.put<u32>(kVersion);
  out.put<u64>(c.memory_bytes);
  out.put<u32>(c.cpus);
  out.put<u64>(c.rate);
  out.put_text(c.command_line);
  out.put_varint(c.disks.size());
  for (const DiskConfig& disk : c.disks) {
    out.put<u64>(disk.size_bytes);
    out.put<u8>(disk.read_only);
    out.put_text(disk.serial);
  }
  out.put_varint(c.nics.size());
  for (const NicConfig& nic : c.nics) out.put_bytes(std::as_bytes(std::span(nic.mac)));
  out.put_sized(c.kernel);
  out.put_sized(c.initrd);
  out.put<u64>(checksum(out.bytes(), kMagic));
  return out.take();
}

Result<Config> decode(ByteSpan bytes) {
  const auto damaged = [] { return fail(ErrorKind::kFormat, "The machine's configuration is damaged."); };
  ByteReader in(bytes);
  if (in.get<u64>() != kMagic || !in.ok()) {
    return fail(ErrorKind::kFormat, "These bytes are not the configuration of a computer.");
  }
  if (const u32 version = in.get<u32>(); version != kVersion) {
    return usage("The machine's configuration has version " + std::to_string(version) + "; this program reads version " +
                 std::to_string(kVersion) + ".");
  }
  const std::size_t body = bytes.size() - sizeof(u64);
  if (bytes.size() < 2 * sizeof(u64)) return damaged();
  if (ByteReader(bytes.subspan(body)).get<u64>() != checksum(bytes.first(body), kMagic)) return damaged();

  Config c;
  c.memory_bytes = in.get<u64>();
  c.cpus = in.get<u32>();
  c.rate = in.get<u64>();
  c.command_line = in.get_text();
  const u64 disks = in.get_varint();
  if (disks > kMaxDisks) return damaged();
  for (u64 i = 0; i < disks; ++i) {
    DiskConfig disk;
    disk.size_bytes = in.get<u64>();
    disk.read_only = in.get<u8>() != 0;
    disk.serial = in.get_text();
    c.disks.push_back(std::move(disk));
  }
  const u64 nics = in.get_varint();
  if (nics > kMaxNics) return damaged();
  for (u64 i = 0; i < nics; ++i) {
    NicConfig nic;
    for (u8& byte : nic.mac) byte = in.get<u8>();
    c.nics.push_back(nic);
  }
  const auto copy = [](ByteSpan from) { return Bytes(from.begin(), from.end()); };
  c.kernel = copy(in.get_sized());
  c.initrd = copy(in.get_sized());
  if (!in.ok() || in.left() != sizeof(u64)) return damaged();
  if (auto valid = validate(c); !valid) return pass(valid);
  return c;
}

}  // namespace pollux::machine::computer
