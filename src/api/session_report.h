// A session's report as a command's.
#pragma once

#include "api/report.h"
#include "host/linux_world.h"
#include "session/run_report.h"

namespace pollux::api {

// A divergence or an operating error becomes the report's sentence and exit code.
Report report_of(const session::RunReport& run);
void add_counters(Report& report, const host::LinuxWorld& world);

}  // namespace pollux::api
