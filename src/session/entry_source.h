// Where a replay's entries come from: a log file (log_source.h) or the channel from a primary (failover/driver).
#pragma once

#include <string>

#include "base/result.h"
#include "log/entry.h"

namespace pollux::session {

// Nothing more will come. warning: not empty when the log was not closed in order (a cut or damaged file, a lost peer).
struct SourceEnd {
  std::string warning;
};

// No entry yet; it is known that execution passed reached without any other input (R3). The replay runs up to there.
struct NotYet {
  door::Position reached;
};

using Next = std::variant<log::Entry, NotYet, SourceEnd>;

class EntrySource {
 public:
  virtual ~EntrySource() = default;

  // The next entry in order, or why there is none. Never waits. An error: the source cannot be read (the world said
  // no); what was read before stays good.
  virtual Result<Next> next() = 0;
};

}  // namespace pollux::session
