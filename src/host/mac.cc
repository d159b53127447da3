#include "host/mac.h"

#include <charconv>
#include <cstdio>

#include "base/checksum.h"

namespace pollux::host {

Result<Mac> parse_mac(std::string_view text) {
  Mac mac{};
  bool good = text.size() == 17;
  for (std::size_t i = 0; good && i < mac.size(); ++i) {
    const char* at = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(at, at + 2, mac[i], 16);
    good = error == std::errc() && end == at + 2 && (i == 5 || at[2] == ':');
  }
  if (!good) {
    return fail(ErrorKind::kUsage, "'" + std::string(text) + "' is not an Ethernet address: write it as 52:54:00:12:34:56");
  }
  if (mac[0] & 1) {
    return fail(ErrorKind::kUsage, "'" + std::string(text) + "' is a group address: the first byte must be even, as in 52:54:00:12:34:56");
  }
  return mac;
}

std::string format(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

Mac default_mac(std::string_view machine_name, u32 nic) {
  const u64 hash = checksum(as_bytes(machine_name), nic);
  return {0x52, 0x54, 0x00, u8(hash >> 16), u8(hash >> 8), u8(hash)};
}

Bytes announcement(const Mac& mac) {
  const ByteSpan own = std::as_bytes(std::span(mac));
  ByteWriter frame;
  for (int i = 0; i < 6; ++i) frame.put<u8>(0xff);
  frame.put_bytes(own);
  // RFC 903: type 0x8035, Ethernet to IPv4, operation 3 (request reverse), sender and target hardware address.
  for (u8 byte : {0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x03}) frame.put<u8>(byte);
  frame.put_bytes(own);
  frame.put<u32>(0);
  frame.put_bytes(own);
  frame.put<u32>(0);
  while (frame.size() < 60) frame.put<u8>(0);
  return frame.take();
}

}  // namespace pollux::host
