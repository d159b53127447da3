// A protected machine: what both halves of a pair share, and `pollux run --backup`, the primary's. `pollux backup` is in
// backup.cc.
#pragma once

#include <memory>
#include <vector>

#include "api/options.h"
#include "api/report.h"
#include "base/result.h"
#include "failover/driver/security.h"
#include "failover/event.h"
#include "failover/message.h"
#include "host/disk_file.h"

namespace pollux::api {

// What both halves must be given, checked before anything is opened.
Result<failover::driver::Security> pair_security(const PairOptions& options);

std::vector<failover::DiskIdentity> identities(const std::vector<std::shared_ptr<host::DiskFile>>& disks);

// "pollux: the backup follows: protected" on standard error.
void print_event(const failover::Event& event);

std::string host_name();

Result<Report> run_primary(const RunOptions& options);

}  // namespace pollux::api
