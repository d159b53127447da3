// The commands as plain functions: the command line, and later a service, are faces of these. Each returns when the
// command is done; an Error is the sentence to print.
#pragma once

#include <iosfwd>

#include "api/options.h"
#include "api/report.h"
#include "base/result.h"

namespace pollux::api {

// A machine on this host: plain, recorded, or the primary of a pair.
Result<Report> run(const RunOptions& options);

// The other half: waits for a primary, follows it, and goes on in its place.
Result<Report> backup(const BackupOptions& options);

// Runs a log again and compares every mark.
Result<Report> replay(const ReplayOptions& options);

// What is in a log, by kind, count and bytes; dump: every entry, one a line.
Result<Report> describe_log(const std::string& path, bool dump, bool json, std::ostream& out);

// Makes a cluster key: 32 random bytes, readable by the owner alone. Refuses to overwrite.
Result<void> make_key(const std::string& path);

// Makes HOST.pem and HOST.key in the folder, signed by the authority there (ca.pem, ca.key), which is made first when
// there is none. Refuses to overwrite.
Result<void> make_certificate(const std::string& folder, const std::string& host);

}  // namespace pollux::api
