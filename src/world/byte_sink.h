// Where a log's bytes go: a file on Linux (host/log_file.h), memory in tests. Bytes are appended in order.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::world {

class ByteSink {
 public:
  virtual ~ByteSink() = default;

  // Appends all of the bytes. After an error (a full disk) the sink may hold a part of them, and takes no more.
  virtual Result<void> write(ByteSpan bytes) = 0;

  // Returns when everything written survives a crash of the process (kProcess) or of the host (kHost).
  enum class Survives { kProcess, kHost };
  virtual Result<void> sync(Survives what) = 0;
};

}  // namespace pollux::world
