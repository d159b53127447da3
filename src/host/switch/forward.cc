#include "host/switch/forward.h"

#include <arpa/inet.h>

#include <charconv>
#include <vector>

namespace pollux::host::switching {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool read_port(const std::string& text, u16& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool is_address(const std::string& text) {
  in_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

}  // namespace

Result<Forward> parse_forward(const std::string& text) {
  const std::vector<std::string> parts = split(text);
  Forward forward;
  bool good = parts.size() >= 3 && parts.size() <= 5 && (parts[0] == "tcp" || parts[0] == "udp");
  if (good) {
    forward.protocol = parts[0] == "tcp" ? Forward::Protocol::kTcp : Forward::Protocol::kUdp;
    if (parts.size() >= 4) forward.host_address = parts[1];
    if (parts.size() == 5) forward.guest_address = parts[3];
    good = is_address(forward.host_address) && is_address(forward.guest_address) &&
           read_port(parts[parts.size() == 3 ? 1 : 2], forward.host_port) && read_port(parts.back(), forward.guest_port);
  }
  if (!good) {
    return fail(ErrorKind::kUsage, "'" + text + "' is not a forward: write tcp:HOSTPORT:GUESTPORT, as in tcp:2222:22, or "
                                                "tcp:0.0.0.0:2222:22 to be reached from other hosts");
  }
  return forward;
}

std::string describe(const Forward& forward) {
  const char* protocol = forward.protocol == Forward::Protocol::kTcp ? "tcp " : "udp ";
  return protocol + forward.host_address + ":" + std::to_string(forward.host_port);
}

}  // namespace pollux::host::switching
