// What a simulated pair lives through, read from a few lines of text: the machine's workload, the weather, and
// misfortunes at random or fixed times. Text, one setting a line:
//
//   seconds 3                       how long, virtual
//   client 20 ms                    mean time between a client's requests; 0: no client
//   idle 20 ms                      the machine's longest rest; 0: none
//   power off at 1200 ms            the machine switches itself off
//   backup speed 0.5                of the primary's
//   buffer 64 KiB                   the backup's
//   heartbeats lost 0.3             share; also: doubled
//   messages late 0.02 up to 80 ms  share and by how much; also: disk late ...
//   packets lost 0.05               clients' network
//   chance 0.5 FAULT                happens or not
//   FAULT at 300..1500 ms [for 100..2000 ms]
//     kill primary | kill backup | power primary | power backup | pause primary | pause backup | cut link |
//     cut storage primary | cut storage backup | slow disk
//
// primary and backup mean the sides that start as such. # begins a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::sim {

enum class FaultKind : u8 {
  kKillPrimary,
  kKillBackup,
  kPowerPrimary,
  kPowerBackup,
  kPausePrimary,
  kPauseBackup,
  kCutLink,
  kCutStoragePrimary,
  kCutStorageBackup,
  kSlowDisk,
};
const char* name(FaultKind kind);

struct Fault {
  FaultKind kind;
  double chance = 1;
  u64 from_ns = 0, to_ns = 0;          // when
  u64 least_ns = 0, longest_ns = 0;    // how long, for those that end
};

struct Scenario {
  std::string name;
  u64 duration_ns = 3'000'000'000;
  u64 client_ns = 20'000'000;
  u64 idle_ns = 20'000'000;
  u64 power_off_ns = 0;
  double backup_speed = 1.1;
  u64 buffer_bytes = 4 << 20;
  double heartbeat_loss = 0.02;
  double heartbeat_double = 0.01;
  double message_spike = 0;
  u64 message_spike_ns = 0;
  double disk_spike = 0;
  u64 disk_spike_ns = 0;
  double packet_loss = 0.01;
  std::vector<Fault> faults;
};

Result<Scenario> parse_scenario(std::string name, std::string_view text);

}  // namespace pollux::sim
