// A process that breaks down by a fault of its own (SIGSEGV and the like) says so in one sentence on standard error,
// and then dies of the signal as it would have. One that gets no memory says so and leaves with 1, as for all else that
// the world refuses.
#pragma once

namespace pollux::host {

// Once, first thing in main().
void speak_on_breakdown();

}  // namespace pollux::host
