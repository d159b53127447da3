#include "host/switch/reassembly.h"

#include <algorithm>
#include <cstring>

namespace pollux::host::switching {
namespace {

constexpr std::size_t kEthernet = 14, kHeader = 20;
constexpr std::size_t kMaxDatagram = 65535;
constexpr u16 kIpv4 = 0x0800;
constexpr u16 kMoreFragments = 0x2000, kOffset = 0x1fff;

u16 get16(ByteSpan from, std::size_t at) { return u16(u16(from[at]) << 8 | u16(from[at + 1])); }
void put16(Bytes& into, std::size_t at, u16 value) {
  into[at] = std::byte(value >> 8);
  into[at + 1] = std::byte(value);
}

// RFC 1071; 0 over a header that holds its right checksum.
u16 checksum(ByteSpan header) {
  u32 sum = 0;
  for (std::size_t i = 0; i < header.size(); i += 2) sum += get16(header, i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return u16(~sum);
}

// Whether what TCP, UDP or ICMP say of their lengths is true of the datagram's data.
bool sound(u8 protocol, ByteSpan data) {
  constexpr u8 kIcmp = 1, kTcp = 6, kUdp = 17;
  constexpr std::size_t kIcmpHeader = 8, kTcpHeader = 20, kUdpHeader = 8;
  switch (protocol) {
    case kIcmp: return data.size() >= kIcmpHeader;
    case kTcp: {
      const std::size_t header = data.size() < kTcpHeader ? 0 : std::size_t(u8(data[12]) >> 4) * 4;
      return header >= kTcpHeader && header <= data.size();
    }
    case kUdp: {
      const std::size_t size = data.size() < kUdpHeader ? 0 : get16(data, 4);
      return size >= kUdpHeader && size <= data.size();
    }
    default: return true;
  }
}

}  // namespace

ByteSpan Reassembly::whole(ByteSpan frame) {
  if (frame.size() < kEthernet) return {};
  if (get16(frame, 12) != kIpv4) return frame;
  const ByteSpan datagram = frame.subspan(kEthernet);
  if (datagram.size() < kHeader || u8(datagram[0]) >> 4 != 4) return {};
  const std::size_t header = std::size_t(u8(datagram[0]) & 15) * 4;
  const std::size_t size = get16(datagram, 2);
  if (header < kHeader || size < header || size > datagram.size()) return {};
  if ((get16(datagram, 6) & (kMoreFragments | kOffset)) == 0) {
    return sound(u8(datagram[9]), datagram.subspan(header, size - header)) ? frame : ByteSpan{};
  }
  // Options in fragments: nobody sends them.
  if (header != kHeader || checksum(datagram.first(kHeader)) != 0) return {};
  return take(frame.first(kEthernet + size), size - kHeader);
}

ByteSpan Reassembly::take(ByteSpan frame, std::size_t size_bytes) {
  const ByteSpan header = frame.subspan(kEthernet);
  Key key;
  std::memcpy(key.data(), &header[12], 8);
  std::memcpy(key.data() + 8, &header[4], 2);
  key[10] = header[9];
  const u16 where = get16(header, 6);
  const std::size_t offset = std::size_t(where & kOffset) * 8;
  const bool more = where & kMoreFragments;

  auto found = std::ranges::find(datagrams_, key, &Datagram::key);
  if (offset == 0) {
    if (found != datagrams_.end()) datagrams_.erase(found);
    if (datagrams_.size() == kMaxDatagrams) datagrams_.pop_front();
    datagrams_.push_back({key, Bytes(frame.begin(), frame.begin() + kEthernet + kHeader)});
    found = datagrams_.end() - 1;
  }
  if (found == datagrams_.end()) return {};
  Bytes& so_far = found->frame;
  const bool fits = so_far.size() == kEthernet + kHeader + offset && kHeader + offset + size_bytes <= kMaxDatagram;
  if (!fits || (more && (size_bytes == 0 || size_bytes % 8 != 0))) {
    datagrams_.erase(found);
    return {};
  }
  const ByteSpan data = header.subspan(kHeader);
  so_far.insert(so_far.end(), data.begin(), data.end());
  if (more) return {};
  whole_ = std::move(so_far);
  datagrams_.erase(found);
  if (!sound(u8(key[10]), ByteSpan(whole_).subspan(kEthernet + kHeader))) return {};
  put16(whole_, kEthernet + 2, u16(whole_.size() - kEthernet));
  put16(whole_, kEthernet + 6, 0);
  put16(whole_, kEthernet + 10, 0);
  put16(whole_, kEthernet + 10, checksum(ByteSpan(whole_).subspan(kEthernet, kHeader)));
  return whole_;
}

}  // namespace pollux::host::switching
