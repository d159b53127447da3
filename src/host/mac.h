// Ethernet addresses of guests.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::host {

using Mac = std::array<u8, 6>;

// "52:54:00:12:34:56". A sentence when it is not six bytes in hexadecimal, or is a group address.
Result<Mac> parse_mac(std::string_view text);
std::string format(const Mac& mac);

// 52:54:00 and three bytes from the machine's name and the card's number: the same on every host and every run, so
// that a guest keeps its address, and its configuration by address, for life.
Mac default_mac(std::string_view machine_name, u32 nic);

// A reverse-ARP broadcast from the address: sent by a promoted backup, it makes every switch on the way send the
// guest's packets here (R6). Says nothing about IP, which only the guest knows.
Bytes announcement(const Mac& mac);

}  // namespace pollux::host
