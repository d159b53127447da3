// A machine file (TOML) says the same as the options of `pollux run`. Errors name file, line and column.
// docs/howto/run-a-guest.md shows one.
#pragma once

#include "api/options.h"
#include "base/result.h"

namespace pollux::api {

// Reads the file over the defaults in options: keys it does not name stay as they are.
Result<RunOptions> read_machine_file(const std::string& path, RunOptions options);

// "512M", "1G", "1048576": bytes. Suffixes K, M, G (powers of 1024).
Result<u64> parse_size(const std::string& text);
// "1" to "8".
Result<u32> parse_cpus(const std::string& text);
// "PATH" or "PATH,ro".
Result<DiskOption> parse_disk(const std::string& text);
// "switch=SOCKET[,mac=..]" or "tap=IFNAME[,mac=..]".
Result<NetOption> parse_net(const std::string& text);

}  // namespace pollux::api
