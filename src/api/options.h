// What the operator asked for, as plain values. The command line (app/) and machine files (machine_file.h) fill
// them; the functions of api/ take them. Nothing here is checked against the world yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/integers.h"

namespace pollux::api {

// The processor engines by name; the first is the reference.
inline const std::vector<std::string> kEngines = {"interpret", "translate", "check"};
inline constexpr const char* kEngineHelp =
    "translate; interpret: the slower reference; or check: both, compared, until they differ";

struct DiskOption {
  std::string path;
  bool read_only = false;
};

enum class NetKind : u8 { kSwitch, kTap };

struct NetOption {
  NetKind kind = NetKind::kSwitch;
  std::string target;              // the switch's socket, or the TAP device's name
  std::optional<std::string> mac;  // "52:54:00:12:34:56"; absent: derived from the machine's name and the card's number
};

enum class ClockKind : u8 { kHost, kVirtual };

// What the machine is. Goes into the log's header; a backup gets it from its primary.
struct MachineOptions {
  std::string name = "pollux";
  std::string kernel;  // empty: found inside the first disk
  std::string initrd;  // empty: found with the kernel, or none when the kernel was named
  std::string append;  // added to "console=ttyS0 root=..."
  std::vector<DiskOption> disks;
  std::vector<NetOption> nets;
  u64 memory_bytes = u64{1} << 30;
  u32 cpus = 1;
  ClockKind clock = ClockKind::kHost;
};

inline constexpr u32 kShortestTimeoutMs = 50, kLongestTimeoutMs = 60000;

// How a pair finds and trusts each other.
struct PairOptions {
  std::string peer;         // HOST:PORT, to connect to (run --backup) or to listen on (backup --listen)
  std::string arbiter_dir;  // on storage that both hosts share
  std::string key_file;     // the cluster key; or, instead of it, all three of:
  std::string certificate;  // this host's, PEM
  std::string certificate_key;
  std::string authority;    // whose signature the other side's certificate must have
  bool plain_text = false;  // by name only
  u32 timeout_ms = 300;     // the one timeout (R8)
};

struct RunOptions {
  MachineOptions machine;
  std::string engine = "translate";
  std::string record;   // log file; empty: none
  u32 mark_ms = 50;     // virtual time between marks while the machine runs
  std::string console;  // empty: the terminal; "unix:PATH"; "none"
  PairOptions pair;     // peer empty: not protected
  bool json = false;
  bool sandbox = true;
};

struct BackupOptions {
  std::vector<DiskOption> disks;
  std::vector<NetOption> nets;
  std::string engine = "translate";
  std::string console;
  PairOptions pair;
  bool json = false;
  bool sandbox = true;
};

struct ReplayOptions {
  std::string log;
  std::optional<u64> until;
  std::string engine = "translate";
  bool show_console = false;
  bool json = false;
};

}  // namespace pollux::api
