// A process that breaks down by a fault of its own (SIGSEGV and the like) says so in one sentence on standard error,
// and then dies of the signal as it would have.
#pragma once

namespace pollux::host {

// Once, first thing in main().
void speak_on_breakdown();

}  // namespace pollux::host
