#include "storage/partition_table.h"

#include <array>

namespace pollux::storage {

namespace {

constexpr u64 kSector = 512;
constexpr u8 kGptProtective = 0xee;
constexpr u32 kMostGptEntries = 128;
constexpr u32 kMostLogical = 60;

using Sector = std::array<std::byte, kSector>;

template <class T>
T field(std::span<const std::byte> bytes, u64 at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct MbrEntry {
  u8 type = 0;
  u64 first = 0, count = 0;  // sectors
  bool extended() const { return type == 0x05 || type == 0x0f || type == 0x85; }
};

MbrEntry mbr_entry(const Sector& sector, u32 slot) {
  const u64 at = 446 + 16 * slot;
  return {field<u8>(sector, at + 4), field<u32>(sector, at + 8), field<u32>(sector, at + 12)};
}

bool is_boot_record(const Sector& sector) { return field<u16>(sector, 510) == 0xaa55; }

std::vector<Partition> read_gpt(const ReadAt& read) {
  std::vector<Partition> found;
  Sector header;
  if (!read(kSector, header) || as_text(ByteSpan(header).first(8)) != "EFI PART") return found;
  const u64 table = field<u64>(header, 72);
  const u32 entries = std::min(field<u32>(header, 80), kMostGptEntries);
  const u32 entry_size = field<u32>(header, 84);
  if (entry_size < 128 || entry_size > 4096) return found;
  for (u32 i = 0; i < entries; ++i) {
    std::array<std::byte, 128> entry;
    if (!read(table * kSector + u64(i) * entry_size, entry)) break;
    const u64 first = field<u64>(entry, 32), last = field<u64>(entry, 40);
    const bool used = field<u64>(entry, 0) || field<u64>(entry, 8);
    if (used && first && last >= first && last < (u64{1} << 54))
      found.push_back({i + 1, first * kSector, (last - first + 1) * kSector});
  }
  return found;
}

// Each extended boot record names one logical partition, relative to itself, and the next record, relative to the
// extended partition.
void read_logical(const ReadAt& read, u64 extended, std::vector<Partition>& found) {
  u64 record = extended;
  for (u32 number = 5; number < 5 + kMostLogical; ++number) {
    Sector sector;
    if (!read(record * kSector, sector) || !is_boot_record(sector)) return;
    const MbrEntry logical = mbr_entry(sector, 0), next = mbr_entry(sector, 1);
    if (logical.type && logical.count)
      found.push_back({number, (record + logical.first) * kSector, logical.count * kSector});
    if (!next.extended() || !next.first) return;
    record = extended + next.first;
  }
}

}  // namespace

std::vector<Partition> read_partitions(const ReadAt& read) {
  Sector sector;
  std::vector<Partition> found, logical;
  if (!read(0, sector) || !is_boot_record(sector)) return found;
  for (u32 slot = 0; slot < 4; ++slot) {
    const MbrEntry entry = mbr_entry(sector, slot);
    if (entry.type == kGptProtective) return read_gpt(read);
    if (entry.extended()) {
      read_logical(read, entry.first, logical);
    } else if (entry.type && entry.count && entry.first) {
      found.push_back({slot + 1, entry.first * kSector, entry.count * kSector});
    }
  }
  found.insert(found.end(), logical.begin(), logical.end());
  return found;
}

}  // namespace pollux::storage
