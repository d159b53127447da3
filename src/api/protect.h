// A protected machine: `pollux run --backup`, the primary of a pair.
#pragma once

#include "api/options.h"
#include "api/report.h"
#include "base/result.h"

namespace pollux::api {

// What both halves must be given, checked before anything is opened: an arbiter, and a key unless --plain-text.
Result<void> check_pair_options(const PairOptions& options);

Result<Report> run_primary(const RunOptions& options);

}  // namespace pollux::api
