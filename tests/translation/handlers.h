// The guest's own fault and interrupt handlers, as machine code for kHandlers.
#pragma once

#include "base/bytes.h"

namespace pollux::test::translation {

ByteSpan handlers();
// Offset of the entry for a vector: kInterruptVector, kEndVector, NMI and the exceptions have one.
u64 handler_offset(unsigned vector);
u64 syscall_offset();

}  // namespace pollux::test::translation
